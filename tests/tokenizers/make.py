#!/usr/bin/env python3
"""Writes the cases beside it anew: a small tokenizer.json laid out as those of one family, and what Hugging Face `tokenizers`
makes of random texts under it. Needs that package; the same seed gives the same files.

    python3 make.py [--check]     --check: writes nothing, and says which cases differ

A case is {"tokenizer": {...}, "rows": [[text, pair or null, [id, type, start, end, ...]], ...]}."""
import json
import os
import random
import sys
import unicodedata

from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = 24
WORDS = """the of and to in a is was for on that with as by at from it his an were are which this be he also has or had not first one
their its but new they have after who been when two there her time she more other all people into most some over would years about
between during only while made such then later world called through known where three no many being up under used can city well these
music early name number them part work both state since another against around year however Don't I'm they're it's can't we'll
water language history system several small family found within music, 1998 2,500 3.14 e-mail co-operate U.S. (born) "quoted" ok!""".split()


def word_counts():
    """Zipf's law over the words, each with the space before it."""
    return {" " + w: 1000 // (i + 1) + 1 for i, w in enumerate(WORDS)}


def train_pairs(counts, most):
    """Pairs of symbols by frequency, as BPE's training picks them; ties by text."""
    parts, merges = {w: list(w) for w in counts}, []
    while len(merges) < most:
        found = {}
        for w, symbols in parts.items():
            for pair in zip(symbols, symbols[1:]):
                found[pair] = found.get(pair, 0) + counts[w]
        if not found:
            break
        best = min(found, key=lambda p: (-found[p], p))
        merges.append(list(best))
        for w, symbols in parts.items():
            i, out = 0, []
            while i < len(symbols):
                if tuple(symbols[i:i + 2]) == best:
                    out.append(symbols[i] + symbols[i + 1])
                    i += 2
                else:
                    out.append(symbols[i])
                    i += 1
            parts[w] = out
    return merges


def byte_characters():
    """GPT-2's: a byte's character."""
    kept = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    rest = [b for b in range(256) if b not in kept]
    return {b: chr(b) if b in kept else chr(256 + rest.index(b)) for b in range(256)}


BYTES = byte_characters()


def byte_level(text):
    return "".join(BYTES[b] for b in text.encode())


def added(content, special=True, **options):
    token = dict(id=0, content=content, single_word=False, lstrip=False, rstrip=False, normalized=not special, special=special)
    token.update(options)
    return token


# Tokens under each rule.
ODD = [added("single", False, single_word=True), added("lst", False, lstrip=True), added("rst", False, rstrip=True, normalized=False),
       added("Nrm Tok", False), added("\u00c9TOK", False, normalized=True), added("raw", False, normalized=False)]


def tokenizer(model, tokens, normalizer, pre, post):
    """Ids of added tokens as the vocabulary has them, or behind it."""
    vocab = model["vocab"]
    ids = {p[0]: i for i, p in enumerate(vocab)} if isinstance(vocab, list) else vocab
    tokens, count = [dict(t) for t in tokens], len(ids)
    for t in tokens:
        t["id"] = ids.get(t["content"], count)
        count += t["content"] not in ids
    return dict(version="1.0", truncation=None, padding=None, added_tokens=tokens, normalizer=normalizer, pre_tokenizer=pre,
                post_processor=post(tokens) if post else None, decoder=None, model=model)


def template(cls, sep, pair_type=0, double=False):
    def make(tokens):
        ids = {t["content"]: t["id"] for t in tokens}
        special = lambda name, kind: {"SpecialToken": {"id": name, "type_id": kind}}
        sequence = lambda name, kind: {"Sequence": {"id": name, "type_id": kind}}
        single = [special(cls, 0), sequence("A", 0), special(sep, 0)]
        pair = single + [special(sep, 0)] * double + [sequence("B", pair_type), special(sep, pair_type)]
        return dict(type="TemplateProcessing", single=single, pair=pair,
                    special_tokens={n: dict(id=n, ids=[ids[n]], tokens=[n]) for n in (cls, sep)})
    return make


def roberta(trim, prefix):
    def make(tokens):
        ids = {t["content"]: t["id"] for t in tokens}
        return dict(type="RobertaProcessing", sep=["</s>", ids["</s>"]], cls=["<s>", ids["<s>"]], trim_offsets=trim,
                    add_prefix_space=prefix)
    return make


def sequence(*parts, key="pretokenizers"):
    return {"type": "Sequence", key: list(parts)}


def normalizers(*parts):
    return sequence(*parts, key="normalizers")


def plain(name):
    return dict(type=name)


def replace(pattern, content, kind="String"):
    return dict(type="Replace", pattern={kind: pattern}, content=content)


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return dict(type="Split", pattern={kind: pattern}, behavior=behavior, invert=invert)


def bytes_step(prefix=False, trim=True, regex=True):
    return dict(type="ByteLevel", add_prefix_space=prefix, trim_offsets=trim, use_regex=regex)


def metaspace(scheme="always", splits=True):
    return dict(type="Metaspace", replacement="\u2581", prepend_scheme=scheme, split=splits)


def bpe(vocab, merges, **options):
    model = dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None, end_of_word_suffix=None, fuse_unk=False,
                 byte_fallback=False, ignore_merges=False, vocab={p: i for i, p in enumerate(dict.fromkeys(vocab))}, merges=merges)
    model.update(options)
    return model


def byte_bpe(first=(), lacking=0, **options):
    merges = [[byte_level(a), byte_level(b)] for a, b in train_pairs(word_counts(), 120)]
    alphabet = [BYTES[b] for b in range(256 - lacking)]
    return bpe(list(first) + alphabet + ["".join(m) for m in merges], merges, **options)


def marked_bpe(first, fallback, **options):
    merges = [[a.replace(" ", "\u2581"), b.replace(" ", "\u2581")] for a, b in train_pairs(word_counts(), 120)]
    letters = sorted({c for w in WORDS for c in w}) + ["\u2581"]
    pieces = ["<0x%02X>" % b for b in range(256)] * fallback
    return bpe(list(first) + pieces + letters + ["".join(m) for m in merges], merges, byte_fallback=fallback, **options)


def unigram(first, unknown, last=(), **options):
    pieces = ["\u2581"] + sorted({c for w in WORDS for c in w.lower()} | set("\u00e9\u00fc\u4e2d"))
    pieces += ["".join(m).replace(" ", "\u2581") for m in train_pairs(word_counts(), 150)]
    pieces = [p for p in dict.fromkeys(pieces) if p not in first]
    scored = [[p, round(-4 - 6 * i / len(pieces) + len(p) / 7, 4)] for i, p in enumerate(pieces)]
    model = dict(type="Unigram", unk_id=list(first).index(unknown), vocab=[[p, 0.0] for p in first] + scored + [[p, 0.0] for p in last],
                 byte_fallback=False)
    model.update(options)
    return model


def wordpiece(cased=False, most=100):
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + sorted(set("abcdefghijklmnopqrstuvwxyz0123456789.,!?'\"()-\u4e2d\u00e9"))
    pieces += ["##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"] + [w if cased else w.lower() for w in WORDS if w.isalpha()]
    pieces += ["##ing", "##ed", "##s"] + ["The", "\u00c9"] * cased
    return dict(type="WordPiece", unk_token="[UNK]", continuing_subword_prefix="##", max_input_chars_per_word=most,
                vocab={p: i for i, p in enumerate(dict.fromkeys(pieces))})


BERT_TOKENS = [added("[%s]" % n) for n in ("PAD", "UNK", "CLS", "SEP", "MASK")]
ROBERTA_TOKENS = [added("<s>"), added("<pad>"), added("</s>"), added("<unk>"), added("<mask>", lstrip=True)]
LLAMA = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA_TOKENS = [added("<|begin_of_text|>"), added("<|end_of_text|>"), added("<|mask|>")]
NAMES = ["<s>", "<pad>", "</s>", "<unk>"]


def bert(lowercase, strip, clean=True, chinese=True, **options):
    return tokenizer(wordpiece(not lowercase, **options), BERT_TOKENS + ODD,
                     dict(type="BertNormalizer", clean_text=clean, handle_chinese_chars=chinese, strip_accents=strip, lowercase=lowercase),
                     plain("BertPreTokenizer"), template("[CLS]", "[SEP]", 1))


def cases():
    spaces = [added(" " * n, False, normalized=True) for n in range(5, 1, -1)]
    modern = ["|||IP_ADDRESS|||", "<|padding|>"]
    yield "bert", bert(True, None)
    yield "bert-cased", bert(False, None, most=6)
    yield "bert-accents", bert(True, False, clean=False, chinese=False)
    yield "modernbert", tokenizer(byte_bpe(modern), [added(modern[0], False, normalized=True), added(modern[1])] + spaces +
                                  BERT_TOKENS[:4] + [added("[MASK]", lstrip=True), added("[unused0]", False, normalized=True)],
                                  plain("NFC"), bytes_step(), template("[CLS]", "[SEP]"))
    yield "eurobert", tokenizer(byte_bpe(ignore_merges=True), LLAMA_TOKENS, None, sequence(split(LLAMA), bytes_step(regex=False)),
                                template(LLAMA_TOKENS[0]["content"], LLAMA_TOKENS[1]["content"]))
    yield "roberta", tokenizer(byte_bpe(NAMES), ROBERTA_TOKENS + ODD, None, bytes_step(), roberta(True, False))
    yield "roberta-prefix", tokenizer(byte_bpe(NAMES), ROBERTA_TOKENS, None, bytes_step(True), roberta(True, True))
    yield "deberta", tokenizer(byte_bpe(), BERT_TOKENS, None, bytes_step(), template("[CLS]", "[SEP]", 1))
    yield "bytes-lacking", tokenizer(byte_bpe(NAMES, 90, unk_token="<unk>"), ROBERTA_TOKENS, None, bytes_step(), roberta(True, False))
    yield "bytes-normalised", tokenizer(byte_bpe(NAMES), ROBERTA_TOKENS + ODD, normalizers(plain("NFC"), plain("ByteLevel")),
                                        split(r" ?[A-Za-z]+|\u0120+|\d|[^A-Za-z\d\u0120]+"), template("<s>", "</s>"))
    yield "bytes-then-digits", tokenizer(byte_bpe(NAMES), ROBERTA_TOKENS, None,
                                         sequence(dict(type="Punctuation", behavior="Contiguous"), bytes_step(),
                                                  dict(type="Digits", individual_digits=False), split("[0-9][0-9]")), None)
    yield "rewritten-twice", tokenizer(byte_bpe(NAMES), ROBERTA_TOKENS, None, sequence(metaspace(), bytes_step(True, regex=False)),
                                       template("<s>", "</s>"))
    yield "xlm-roberta", tokenizer(unigram(NAMES, "<unk>", ["<mask>"]), ROBERTA_TOKENS + ODD,
                                   normalizers(plain("Nmt"), plain("NFKC"), replace(" {2,}", " ", "Regex")),
                                   sequence(plain("WhitespaceSplit"), metaspace()), template("<s>", "</s>", 0, True))
    yield "camembert", tokenizer(unigram(["<s>NOTUSED"] + NAMES, "<unk>"), [added("<s>NOTUSED")] + ROBERTA_TOKENS, plain("NFKC"),
                                 sequence(plain("WhitespaceSplit"), metaspace()), roberta(True, True))
    yield "deberta-v3", tokenizer(unigram(["[PAD]", "[CLS]", "[SEP]", "[UNK]"], "[UNK]"), BERT_TOKENS + ODD,
                                  normalizers(dict(type="Strip", strip_left=True, strip_right=True), plain("NFKC"),
                                              replace(" {2,}", " ", "Regex")),
                                  sequence(dict(type="Punctuation", behavior="Isolated"), metaspace()), template("[CLS]", "[SEP]", 1))
    yield "albert", tokenizer(unigram(["[PAD]", "[UNK]", "[CLS]", "[SEP]"], "[UNK]"), BERT_TOKENS,
                              normalizers(replace("``", '"'), replace("''", '"'), plain("NFKD"), plain("StripAccents"),
                                          plain("Lowercase"), replace(" {2,}", " ", "Regex")), metaspace(), template("[CLS]", "[SEP]", 1))
    yield "unigram-bytes", tokenizer(unigram(NAMES + ["<0x%02X>" % b for b in range(256)], "<unk>", byte_fallback=True), ROBERTA_TOKENS,
                                     None, metaspace("first", False), template("<s>", "</s>"))
    yield "sentencepiece-bpe", tokenizer(marked_bpe(NAMES, True, unk_token="<unk>", fuse_unk=True), ROBERTA_TOKENS + ODD,
                                         normalizers(dict(type="Prepend", prepend="\u2581"), replace(" ", "\u2581")), None,
                                         template("<s>", "</s>"))
    yield "sentencepiece-bpe-fused", tokenizer(marked_bpe(NAMES, False, unk_token="<unk>", fuse_unk=True), ROBERTA_TOKENS, None,
                                               metaspace("first", False), template("<s>", "</s>"))
    yield "words", tokenizer(dict(type="WordLevel", unk_token="[UNK]", vocab=wordpiece()["vocab"]), BERT_TOKENS + ODD,
                             plain("Lowercase"), sequence(split(r"\b", "Isolated"), split(r"[\W_]", "Removed"), plain("Whitespace")),
                             template("[CLS]", "[SEP]"))


MARKS = "\u0300\u0301\u0308\u0323\u0328\u031b\u05b8\u064b\u093c\u094d\u0e31\u3099\u20dd\ufe0f\u0897"
SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\u200b", "\u2028", "\u0085", "\ufeff", "\u001c", " \n "]
ODDITIES = ["\u00e9", "e\u0301", "E\u0301", "\ufb01", "\u2167", "\u00bd", "\u2460", "\uff46\uff55\uff4c\uff4c", "\uff76\uff9e", "\u017f",
            "\u0130", "\u00df", "\u1e9e", "\u03a3", "\u03c2", "\u01c5", "\u2026", "\u2122", "\u00b2", "\u212b", "\u2126", "\uf900", "\U0001d518",
            "\u1100\u1161\u11a8", "\uac00\u11a7", "\u0344", "\u0958", "\u4e2d\u6587", "\u4e2d", "\ud55c\uad6d\uc5b4", "\u0645\u0631\u062d\u0628\u0627",
            "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f917", "\U0001f44d\U0001f3fd", "1\ufe0f\u20e3", "\U00013c4a", "\u2581", "\u2581\u2581",
            "\u0120", "``", "''", "...", "!?", "--", "'s", "'LL", "12345", "\u0661\u0662", "\x07", "\u00ad", "\ufffd", "x" * 40]
LITERALS = ["[MASK]", "[CLS]", "[UNK]", "<s>", "</s>", "<mask>", "  <mask>", "<unk>", "<s>NOTUSED", "|||IP_ADDRESS|||", "[unused0]",
            "<|mask|>", "<0x0A>", "single", "singles", " single ", " lst", "rst  x", "Nrm Tok", "nrm tok", "NRM TOK", "\u00c9TOK", "e\u0301tok",
            "raw", "draws", "##ing", "[mask]"]


def random_text(r):
    parts, kinds = [], r.sample(range(7), r.randint(2, 7))
    for _ in range(r.choice([0, 1, 3, 5, 8, 12])):
        kind = r.choice(kinds)
        if kind <= 1:
            part = r.choice(WORDS)
            part = r.choice([part, part, part.upper(), part.capitalize(), part + r.choice(WORDS), part + "ing"])
        elif kind == 2:
            part = r.choice(SPACES)
        elif kind == 3:
            part = r.choice(ODDITIES)
        elif kind == 4:
            part = r.choice(LITERALS)
        elif kind == 5:
            part = r.choice("aeinouAEO") + "".join(r.choice(MARKS) for _ in range(r.randint(1, 3)))
        else:
            part = "".join(chr(r.choice([r.randint(0x20, 0x7e), r.randint(0xa0, 0x24f), r.randint(0x370, 0x1fff), r.randint(0x2000, 0x33ff),
                                         r.randint(0x4e00, 0x9fff), r.randint(0x10000, 0x1ffff)])) for _ in range(r.randint(1, 4)))
        parts.append(part)
    text = r.choice(["", " ", " ", " "]).join(parts)
    return unicodedata.normalize("NFD", text) if r.random() < 0.1 else text


def rows_of(file, r):
    texts = [(random_text(r), random_text(r) if i % 4 == 3 else None) for i in range(ROWS)]
    encoder, rows = Tokenizer.from_str(json.dumps(file)), []
    for encoding, (text, pair) in zip(encoder.encode_batch([t if p is None else (t, p) for t, p in texts]), texts):
        flat = [[i, t, a, b] for i, t, (a, b) in zip(encoding.ids, encoding.type_ids, encoding.offsets)]
        rows.append([text, pair, [x for token in flat for x in token]])
    return rows


def main():
    differ = []
    for name, file in cases():
        out = json.dumps({"tokenizer": file, "rows": rows_of(file, random.Random(name))}, ensure_ascii=False, separators=(",", ":"))
        out = out.replace('"rows":[[', '\n"rows":[\n[').replace("]],[", "]],\n[") + "\n"
        path = os.path.join(HERE, name + ".json")
        if "--check" in sys.argv:
            with open(path, encoding="utf-8", newline="") as f:
                if f.read() != out:
                    differ.append(name)
        else:
            with open(path, "w", encoding="utf-8", newline="") as f:
                f.write(out)
    print("differ: " + ", ".join(differ) if differ else "done")
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What bertc train does, by PyTorch and Transformers, with the same options; the folder that comes out can be given to bertc evaluate.

    torch_train.py MODEL --task classify|tag|answer|mlm --train FILE -o DIR [OPTION]...

Batches are padded to their longest text; as bertc train does, texts of like length of 50 batches come into one batch. Prints a line of
JSON at the end: seconds of the steps, and what each epoch ended with on --dev: accuracy; F1 of spans; exact match and F1 of answers. Lines of mlm have input_ids and labels."""
import argparse
import collections
import json
import random
import re
import string
import sys
import time

import torch
from safetensors.torch import load_file
from transformers import (AutoModelForMaskedLM, AutoModelForQuestionAnswering, AutoModelForSequenceClassification, AutoModelForTokenClassification,
                          AutoTokenizer, get_linear_schedule_with_warmup, logging)

WINDOW = 50  # batches
IGNORED = -100


def options():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("--task", choices=["classify", "tag", "answer", "mlm"], required=True)
    p.add_argument("--train", required=True)
    p.add_argument("--dev")
    p.add_argument("-o", "--output")
    p.add_argument("--learning-rate", type=float, default=5e-5)
    p.add_argument("--num-train-epochs", type=int, default=3)
    p.add_argument("--max-steps", type=int, default=0, help="so many steps, whatever the epochs")
    p.add_argument("--per-device-train-batch-size", type=int, default=8)
    p.add_argument("--weight-decay", type=float, default=0)
    p.add_argument("--warmup-ratio", type=float, default=0)
    p.add_argument("--max-grad-norm", type=float, default=1)
    p.add_argument("--label-smoothing", type=float, default=0)
    p.add_argument("--layerwise-lr-decay", type=float, default=1)
    p.add_argument("--dropout", type=float)
    p.add_argument("--max-seq-length", type=int)
    p.add_argument("--doc-stride", type=int, default=128)
    p.add_argument("--seed", type=int, default=42)
    p.add_argument("--mask-padding", action="store_true", help="of answer: no padding in the loss's softmax; Transformers has it there")
    p.add_argument("--init", help="tensors of the new head")
    p.add_argument("--no-shuffle", action="store_true")
    p.add_argument("--no-bucketing", action="store_true", help="batches of any lengths, as Transformers' Trainer makes them")
    p.add_argument("--curve", help="a file for the loss of each step")
    p.add_argument("--device", default="cpu")
    p.add_argument("--threads", type=int, default=1)
    return p.parse_args()


def lines_of(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


# --- Examples: {"input_ids", "token_type_ids", labels}


def classify_examples(lines, tokenizer, o):
    texts = tokenizer([x["text"] for x in lines], truncation=True, max_length=o.max_seq_length or 128)
    return [{"input_ids": i, "token_type_ids": t, "labels": x["label"]}
            for i, t, x in zip(texts["input_ids"], texts["token_type_ids"], lines)]


def tag_examples(lines, tokenizer, o, tags):
    out = []
    enc = tokenizer([x["tokens"] for x in lines], is_split_into_words=True, truncation=True, max_length=o.max_seq_length or 128)
    for i, x in enumerate(lines):
        words = enc.word_ids(i)
        labels = [IGNORED if w is None or (k and w == words[k - 1]) else tags[x["tags"][w]] for k, w in enumerate(words)]
        out.append({"input_ids": enc["input_ids"][i], "token_type_ids": enc["token_type_ids"][i], "labels": labels})
    return out


def texts_of(answers):
    return answers["text"] if isinstance(answers, dict) else answers


def first_answer(line):
    """Its text and where it stands: said, or its first place in the context."""
    answers = line["answers"]
    if isinstance(answers, dict):
        return answers["text"][0], answers["answer_start"][0]
    text = answers[0]
    return text, line["context"].index(text)


def answer_examples(lines, tokenizer, o):
    enc = tokenizer([x["question"] for x in lines], [x["context"] for x in lines], truncation="only_second",
                    max_length=o.max_seq_length or 384, stride=o.doc_stride, return_overflowing_tokens=True,
                    return_offsets_mapping=True)
    out = []
    for i, sample in enumerate(enc["overflow_to_sample_mapping"]):
        line, of, offsets = lines[sample], enc.sequence_ids(i), enc["offset_mapping"][i]
        text, begin = first_answer(line)
        inside = [k for k, s in enumerate(of) if s == 1 and offsets[k][0] < begin + len(text) and offsets[k][1] > begin]
        whole = inside and offsets[inside[0]][0] <= begin and offsets[inside[-1]][1] >= begin + len(text)
        start, end = (inside[0], inside[-1]) if whole else (0, 0)
        out.append({"input_ids": enc["input_ids"][i], "token_type_ids": enc["token_type_ids"][i], "start": start, "end": end, "sample": sample,
                    "places": [offsets[k] if s == 1 else None for k, s in enumerate(of)]})
    return out


# --- Batches


def batches_of(examples, size, shuffle, bucketing):
    order = list(range(len(examples)))
    if shuffle:
        shuffle.shuffle(order)
    if shuffle and bucketing:
        width = size * WINDOW
        order = [i for at in range(0, len(order), width)
                 for i in sorted(order[at:at + width], key=lambda i: len(examples[i]["input_ids"]))]
    batches = [order[at:at + size] for at in range(0, len(order), size)]
    if shuffle and bucketing:
        shuffle.shuffle(batches)
    return batches


def padded(rows, value):
    longest = max(map(len, rows))
    return torch.tensor([row + [value] * (longest - len(row)) for row in rows])


def collate(examples, device):
    ids = [x["input_ids"] for x in examples]
    batch = {"input_ids": padded(ids, 0), "attention_mask": padded([[1] * len(i) for i in ids], 0),
             "token_type_ids": padded([x["token_type_ids"] for x in examples], 0)}
    if "start" in examples[0]:
        batch["start_positions"] = torch.tensor([x["start"] for x in examples])
        batch["end_positions"] = torch.tensor([x["end"] for x in examples])
    elif isinstance(examples[0]["labels"], list):
        batch["labels"] = padded([x["labels"] for x in examples], IGNORED)
    else:
        batch["labels"] = torch.tensor([x["labels"] for x in examples])
    return {k: v.to(device) for k, v in batch.items()}


# --- The model and its optimiser


def open_model(o, lines):
    tokenizer = AutoTokenizer.from_pretrained(o.model)
    more = {"dtype": torch.float32}
    if o.dropout is not None:
        more.update(hidden_dropout_prob=o.dropout, attention_probs_dropout_prob=o.dropout)
    torch.manual_seed(o.seed)
    if o.task == "classify":
        count = 1 + max(x["label"] for x in lines)
        return tokenizer, AutoModelForSequenceClassification.from_pretrained(o.model, num_labels=count, **more), \
            classify_examples(lines, tokenizer, o)
    if o.task == "answer":
        return tokenizer, AutoModelForQuestionAnswering.from_pretrained(o.model, **more), answer_examples(lines, tokenizer, o)
    if o.task == "mlm":
        return tokenizer, AutoModelForMaskedLM.from_pretrained(o.model, **more), \
            [{"input_ids": x["input_ids"], "token_type_ids": [0] * len(x["input_ids"]), "labels": x["labels"]} for x in lines]
    names = sorted({t for x in lines for t in x["tags"]})
    tags = {t: i for i, t in enumerate(names)}
    model = AutoModelForTokenClassification.from_pretrained(o.model, id2label=dict(enumerate(names)), label2id=tags, **more)
    return tokenizer, model, tag_examples(lines, tokenizer, o, tags)


def depth_of(name, layers):
    """0: embeddings, then the layers, then the head."""
    if ".layer." in name:
        return 1 + int(name.split(".layer.")[1].split(".")[0])
    return 0 if "embeddings" in name else layers + 1


def optimizer_of(model, o):
    layers = model.config.num_hidden_layers
    groups = []
    for name, p in model.named_parameters():
        decays = not (name.endswith("bias") or "LayerNorm" in name)
        rate = o.learning_rate * o.layerwise_lr_decay ** (layers + 1 - depth_of(name, layers))
        groups.append({"params": [p], "lr": rate, "weight_decay": o.weight_decay if decays else 0})
    return torch.optim.AdamW(groups, lr=o.learning_rate, fused=True) if o.layerwise_lr_decay != 1 else torch.optim.AdamW(
        [{"params": [p for g in groups for p in g["params"] if g["weight_decay"]], "weight_decay": o.weight_decay},
         {"params": [p for g in groups for p in g["params"] if not g["weight_decay"]], "weight_decay": 0}],
        lr=o.learning_rate, fused=True)


def loss_of(model, batch, o):
    if o.mask_padding:
        places = batch.pop("start_positions"), batch.pop("end_positions")
        found, hidden = model(**batch), batch["attention_mask"] == 0
        return sum(torch.nn.functional.cross_entropy(logits.masked_fill(hidden, -torch.inf), place)
                   for logits, place in zip((found.start_logits, found.end_logits), places)) / 2
    if not o.label_smoothing:
        return model(**batch).loss
    labels = batch.pop("labels")
    logits = model(**batch).logits
    return torch.nn.functional.cross_entropy(logits.flatten(0, -2), labels.flatten(), label_smoothing=o.label_smoothing)


# --- Metrics on the dev file


def outputs_of(model, examples, o, names):
    """Each example's outputs of these names, without padding."""
    out = []
    model.eval()
    with torch.no_grad():
        for at in range(0, len(examples), 64):
            part = examples[at:at + 64]
            batch = {k: v for k, v in collate(part, o.device).items() if k in ("input_ids", "attention_mask", "token_type_ids")}
            found = model(**batch)
            rows = [getattr(found, name).float().cpu() for name in names]
            out += [[r[i] for r in rows] for i in range(len(part))]
    model.train()
    return out


def accuracy(model, tokenizer, o):
    lines = lines_of(o.dev)
    found = outputs_of(model, classify_examples(lines, tokenizer, o), o, ["logits"])
    return {"accuracy": sum(x[0].argmax().item() == line["label"] for x, line in zip(found, lines)) / len(lines)}


def spans_of(tags):
    """As conlleval reads them: an I of another type, or behind O, begins a span too."""
    out, begin = set(), None
    for i, tag in enumerate(tags + ["O"]):
        goes_on = begin is not None and tag[0] == "I" and tag[2:] == tags[begin][2:]
        if begin is not None and not goes_on:
            out.add((begin, i, tags[begin][2:]))
            begin = None
        if tag != "O" and not goes_on:
            begin = i
    return out


def span_f1(model, tokenizer, o):
    lines, tags = lines_of(o.dev), model.config.label2id
    examples = tag_examples(lines, tokenizer, o, tags)
    right = wanted = given = 0
    for x, e in zip(outputs_of(model, examples, o, ["logits"]), examples):
        first = [k for k, label in enumerate(e["labels"]) if label != IGNORED]
        gold = spans_of([model.config.id2label[e["labels"][k]] for k in first])
        found = spans_of([model.config.id2label[x[0][k].argmax().item()] for k in first])
        right, wanted, given = right + len(gold & found), wanted + len(gold), given + len(found)
    return {"f1": 2 * right / max(1, wanted + given)}


def normal(text):
    """SQuAD's normalisation."""
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def answer_scores(found, golds):
    best = 0.0
    for gold in golds:
        a, b = normal(found), normal(gold)
        same = sum((collections.Counter(a) & collections.Counter(b)).values())
        best = max(best, 2 * same / (len(a) + len(b)) if a and b else float(a == b))
    return max(float(normal(found) == normal(gold)) for gold in golds), best


def best_span(starts, ends, places):
    best = (-1e30, 0, 0)
    for s in starts.argsort(descending=True)[:20].tolist():
        for e in ends.argsort(descending=True)[:20].tolist():
            if s <= e < s + 30 and places[s] and places[e]:
                best = max(best, (starts[s].item() + ends[e].item(), places[s][0], places[e][1]))
    return best


def answers(model, tokenizer, o):
    lines = lines_of(o.dev)
    examples = answer_examples(lines, tokenizer, o)
    best = [(-1e30, 0, 0)] * len(lines)
    for x, e in zip(outputs_of(model, examples, o, ["start_logits", "end_logits"]), examples):
        best[e["sample"]] = max(best[e["sample"]], best_span(x[0], x[1], e["places"]))
    scores = [answer_scores(line["context"][b[1]:b[2]], texts_of(line["answers"])) for line, b in zip(lines, best)]
    return {"exact_match": sum(s[0] for s in scores) / len(lines), "f1": sum(s[1] for s in scores) / len(lines)}


def main():
    o = options()
    logging.set_verbosity_error()
    torch.set_num_threads(o.threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    tokenizer, model, examples = open_model(o, lines_of(o.train))
    if o.init:
        left = model.load_state_dict(load_file(o.init), strict=False)
        assert not left.unexpected_keys, left
    model.to(o.device).train()
    adam = optimizer_of(model, o)
    size, shuffle = o.per_device_train_batch_size, None if o.no_shuffle else random.Random(o.seed)
    steps = o.max_steps or (len(examples) + size - 1) // size * o.num_train_epochs
    rate = get_linear_schedule_with_warmup(adam, int(steps * o.warmup_ratio + 0.999), steps)
    metrics = {"classify": accuracy, "tag": span_f1, "answer": answers, "mlm": None}[o.task]
    said = {"epochs": []}
    start, taken, tokens, curve = time.perf_counter(), 0, 0, []
    for _ in range(o.num_train_epochs if not o.max_steps else o.max_steps):
        losses = []
        for rows in batches_of(examples, size, shuffle, not o.no_bucketing):
            batch = collate([examples[i] for i in rows], o.device)
            tokens += sum(len(examples[i]["input_ids"]) for i in rows)
            adam.zero_grad(set_to_none=True)
            loss = loss_of(model, batch, o)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), o.max_grad_norm)
            adam.step()
            rate.step()
            losses.append(loss.detach())
            curve.append(losses[-1])
            taken += 1
            if taken == steps:
                break
        said["loss"] = torch.stack(losses).mean().item()
        if o.dev and metrics:
            pause = time.perf_counter()
            said["epochs"].append(metrics(model, tokenizer, o))
            start += time.perf_counter() - pause
            print(taken, said, file=sys.stderr, flush=True)
        if taken == steps:
            break
    said.update(steps=taken, tokens=tokens, seconds=time.perf_counter() - start, options=vars(o))
    if o.curve:
        with open(o.curve, "w", encoding="utf-8") as f:
            f.writelines(f'{{"step": {i + 1}, "loss": {x.item():.8g}}}\n' for i, x in enumerate(curve))
    if o.output:
        model.save_pretrained(o.output)
        tokenizer.save_pretrained(o.output)
    print(json.dumps(said))


main()

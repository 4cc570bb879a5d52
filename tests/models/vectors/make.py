#!/usr/bin/env python3
"""make.py TOKENIZER OUT: makes the folders beside it, tiny random models that give a vector per token, and their answers.

Late interaction in three layouts: the answers are those of sentence-transformers 6.0 (MultiVectorEncoder), which reads
all three. BGE-M3: FlagEmbedding's rules, written down below in PyTorch. TOKENIZER is the tokenizer.json of st-colbert.
Needs torch, transformers, sentence-transformers and safetensors."""
import json, os, sys

import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer, BertConfig, BertModel, ModernBertConfig, ModernBertModel, XLMRobertaConfig, XLMRobertaModel

TOKENIZER, OUT = sys.argv[1:3]
QUERIES = ["the cat sat on the mat .", "who is it ?", "a"]
DOCUMENTS = ["where runs the old green river to ? to the sea !", "dogs , not cats", "!",
             "a very far city by the sea , not near the dark old house ."]
PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


def write(folder, name, value):
    path = os.path.join(OUT, folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump(value, f, indent=1)


def tokenizer(folder, special=("[unused0]", "[unused1]"), **more):
    t = json.load(open(TOKENIZER))
    t["added_tokens"] = [a for a in t["added_tokens"] if not a["content"].startswith("[unused") or a["content"] in special]
    write(folder, "tokenizer.json", t)
    write(folder, "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 48,
          "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]", **more})


def bert(folder, architecture="BertModel", **more):
    c = BertConfig(vocab_size=160, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
                   max_position_embeddings=64, initializer_range=0.3, **more)
    c.architectures = [architecture]
    m = BertModel(c, add_pooling_layer=False).eval()
    write(folder, "config.json", json.loads(c.to_json_string(use_diff=False)) | {"architectures": [architecture], "model_type": "bert"})
    return {k: v.contiguous() for k, v in m.state_dict().items()}


def safe(folder, tensors, name="model.safetensors"):
    os.makedirs(os.path.dirname(os.path.join(OUT, folder, name)), exist_ok=True)
    save_file(tensors, os.path.join(OUT, folder, name), metadata={"format": "pt"})


def dense(folder, name, i, o, bias=False, activation="torch.nn.modules.linear.Identity", token=True, **more):
    io = {"module_input_name": "token_embeddings", "module_output_name": "token_embeddings"} if token else {}
    write(folder, f"{name}/config.json", {"in_features": i, "out_features": o, "bias": bias, "activation_function": activation, **io, **more})
    tensors = {"linear.weight": torch.randn(o, i) * 0.5}
    if bias: tensors["linear.bias"] = torch.randn(o) * 0.1
    if more.get("use_residual") and i != o: tensors["residual.weight"] = torch.randn(o, i) * 0.5
    safe(folder, tensors, f"{name}/model.safetensors")


ST, MV = "sentence_transformers.base.modules.", "sentence_transformers.multi_vector_encoder.modules."


def modules(folder, *types):
    write(folder, "modules.json", [{"idx": i, "name": str(i), "path": f"{i}_{t.split('.')[-1]}" if i else "", "type": t} for i, t in enumerate(types)])


def transformer(folder, **more):
    write(folder, "sentence_bert_config.json", {"transformer_task": "feature-extraction",
          "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
          "module_output_name": "token_embeddings", **more})


def native(folder, mask, prompts, **more):
    transformer(folder, **more)
    modules(folder, ST + "transformer.Transformer", ST + "dense.Dense", MV + "multi_vector_mask.MultiVectorMask", ST + "normalize.Normalize")
    write(folder, "2_MultiVectorMask/config.json", mask)
    write(folder, "3_Normalize/config.json", {"module_input_name": "token_embeddings", "module_output_name": "token_embeddings"})
    write(folder, "config_sentence_transformers.json", {"model_type": "MultiVectorEncoder", "prompts": prompts, "default_prompt_name": None, "similarity_fn_name": "MaxSim"})


def expanded(f):  # mask tokens that are not attended to, punctuation left out of documents
    tokenizer(f)
    safe(f, bert(f))
    dense(f, "1_Dense", 16, 8)
    native(f, {"skiplist_words": PUNCTUATION, "skiplist_tasks": ["document"], "keep_only_token_ids": None},
           {"query": "[unused0] ", "document": "[unused1] "}, document_length=12,
           query_expansion={"strategy": "fixed", "attend": False, "token": None, "length": 11})


def at_least(f):  # expansion up to a length, attended to, by a token of its own; skipped in queries too
    tokenizer(f)
    safe(f, bert(f))
    dense(f, "1_Dense", 16, 8, bias=True, activation="torch.nn.modules.activation.Tanh")
    native(f, {"skiplist_words": [".", "?", "the"], "skiplist_tasks": ["query", "document"], "keep_only_token_ids": None},
           {"query": "who is ", "document": ""}, query_length=9,
           query_expansion={"strategy": "min", "attend": True, "token": "[unused1]", "length": 6})


def modernbert(f):  # windows and rotary positions, queries wider than the window
    tokenizer(f)
    c = ModernBertConfig(vocab_size=160, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=24,
                         max_position_embeddings=64, initializer_range=0.3, pad_token_id=0, cls_token_id=2, sep_token_id=3,
                         bos_token_id=2, eos_token_id=3, local_attention=24, global_attn_every_n_layers=3)
    m = ModernBertModel(c).eval()
    write(f, "config.json", json.loads(c.to_json_string(use_diff=False)) | {"architectures": ["ModernBertModel"], "model_type": "modernbert"})
    safe(f, {k: v.contiguous() for k, v in m.state_dict().items()})
    dense(f, "1_Dense", 16, 8)
    native(f, {"skiplist_words": PUNCTUATION, "skiplist_tasks": ["document"], "keep_only_token_ids": None},
           {"query": "[unused0] ", "document": "[unused1] "}, document_length=40,
           query_expansion={"strategy": "fixed", "attend": False, "token": None, "length": 16})


def pylate(f):  # two projections, one with a residual; markers, lengths and expansion beside the prompts
    tokenizer(f)
    safe(f, bert(f))
    write(f, "sentence_bert_config.json", {"max_seq_length": 40, "do_lower_case": False})
    write(f, "modules.json", [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
          {"idx": 1, "name": "1", "path": "1_Dense", "type": "pylate.models.Dense.Dense"},
          {"idx": 2, "name": "2", "path": "2_Dense", "type": "pylate.models.Dense.Dense"}])
    dense(f, "1_Dense", 16, 20, token=False, use_residual=True)
    dense(f, "2_Dense", 20, 8, token=False)
    write(f, "config_sentence_transformers.json", {"model_type": "ColBERT", "prompts": {"query": "", "document": "a "}, "default_prompt_name": None,
          "similarity_fn_name": "MaxSim", "query_prefix": "[unused0]", "document_prefix": "[unused1]", "query_length": 12, "document_length": 14,
          "attend_to_expansion_tokens": False, "skiplist_words": PUNCTUATION, "do_query_expansion": True})


def pylate_bare(f):  # no expansion, no words to skip said: punctuation
    tokenizer(f)
    safe(f, bert(f))
    write(f, "modules.json", [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
          {"idx": 1, "name": "1", "path": "1_Dense", "type": "pylate.models.Dense.Dense"}])
    dense(f, "1_Dense", 16, 8, token=False)
    write(f, "config_sentence_transformers.json", {"model_type": "ColBERT", "prompts": {}, "query_prefix": "[unused0] ", "document_prefix": "[unused1] ",
          "query_length": 32, "document_length": 40, "do_query_expansion": False})


def stanford(f):  # pytorch_model.bin; markers that are pieces, but no special tokens
    tokenizer(f, special=())
    tensors = {"bert." + k: v for k, v in bert(f, "HF_ColBERT").items()}
    tensors["linear.weight"] = torch.randn(8, 16) * 0.5
    tensors["bert.embeddings.position_ids"] = torch.arange(64).unsqueeze(0)
    torch.save(tensors, os.path.join(OUT, f, "pytorch_model.bin"))
    write(f, "artifact.metadata", {"query_token_id": "[unused0]", "doc_token_id": "[unused1]", "query_token": "[Q]", "doc_token": "[D]",
          "dim": 8, "similarity": "cosine", "query_maxlen": 12, "attend_to_mask_tokens": False, "doc_maxlen": 20, "mask_punctuation": True})


def late_answers(folder):
    from sentence_transformers import MultiVectorEncoder
    m = MultiVectorEncoder(os.path.join(OUT, folder), device="cpu", local_files_only=True)
    q, d = m.encode_query(QUERIES), m.encode_document(DOCUMENTS)
    n = m.encode(DOCUMENTS)
    rows = lambda x: [[[float(f"{v:.8g}") for v in row] for row in text] for text in x]
    write(folder, "answers.json", {"queries": QUERIES, "documents": DOCUMENTS, "query_vectors": rows(q), "document_vectors": rows(d),
          "plain_vectors": rows(n), "similarity": m.similarity(q, d).tolist()})
    print(folder, [len(x) for x in q], [len(x) for x in d], [len(x) for x in n])


def m3(f):  # FlagEmbedding's BGE-M3: XLM-R, and its two heads as files of torch.save
    tokenizer(f, eos_token="[SEP]", bos_token="[CLS]")
    c = XLMRobertaConfig(vocab_size=160, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, type_vocab_size=1,
                         max_position_embeddings=50, initializer_range=0.3, pad_token_id=0, bos_token_id=2, eos_token_id=3)
    m = XLMRobertaModel(c).eval()
    write(f, "config.json", json.loads(c.to_json_string(use_diff=False)) | {"architectures": ["XLMRobertaModel"], "model_type": "xlm-roberta"})
    torch.save(m.half().state_dict(), os.path.join(OUT, f, "pytorch_model.bin"))
    m.float()
    sparse, colbert = torch.nn.Linear(16, 1), torch.nn.Linear(16, 16)
    for x in (sparse, colbert): torch.nn.init.normal_(x.weight, std=0.5)
    torch.nn.init.constant_(sparse.bias, 1.0)  # so that there are weights
    torch.save(sparse.half().state_dict(), os.path.join(OUT, f, "sparse_linear.pt"))
    torch.save(colbert.half().state_dict(), os.path.join(OUT, f, "colbert_linear.pt"))
    sparse.float(), colbert.float()
    write(f, "modules.json", [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
          {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
          {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])
    write(f, "1_Pooling/config.json", {"word_embedding_dimension": 16, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})
    write(f, "sentence_bert_config.json", {"max_seq_length": 48, "do_lower_case": False})
    t = AutoTokenizer.from_pretrained(os.path.join(OUT, f))
    unused = {t.convert_tokens_to_ids(getattr(t, k)) for k in ("cls_token", "eos_token", "pad_token", "unk_token")}
    answers = []
    for text in QUERIES + DOCUMENTS + ["the zebra sat , the cat sat"]:
        x = t(text, return_tensors="pt")
        with torch.no_grad():
            h = m(input_ids=x["input_ids"], attention_mask=x["attention_mask"]).last_hidden_state
            weights = torch.relu(sparse(h)).squeeze(-1)[0].tolist()
            vectors = torch.nn.functional.normalize(colbert(h[:, 1:]), dim=-1)[0]
            embedding = torch.nn.functional.normalize(h[:, 0], dim=-1)[0]
        best = {}
        for w, i in zip(weights, x["input_ids"][0].tolist()):
            if i not in unused and w > best.get(i, 0): best[i] = w
        answers.append({"text": text, "embedding": embedding.tolist(), "vectors": vectors.tolist(),
                        "sparse": [{"id": i, "token": t.convert_ids_to_tokens(i), "weight": w} for i, w in sorted(best.items(), key=lambda e: -e[1])]})
    write(f, "answers.json", answers)


MAKERS = {"st-expanded": expanded, "st-at-least": at_least, "st-modernbert": modernbert, "pylate": pylate, "pylate-bare": pylate_bare, "stanford": stanford}
for i, (folder, make) in enumerate(MAKERS.items()):
    torch.manual_seed(i)
    make(folder)
    late_answers(folder)
torch.manual_seed(7)
m3("bge-m3")

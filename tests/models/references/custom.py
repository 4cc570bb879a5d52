#!/usr/bin/env python3
"""Reference outputs of two families that Transformers has no class for, Alibaba's `new` and JinaBERT v2, and of UMT5's
encoder.

usage: custom.py FOLDER [NAME]  (needs PyTorch and safetensors)
       custom.py --check CASES  (T5's cases of Transformers by the code of UMT5)

Writes a case of tests/models/cases for each row of CASES: config.json, model.safetensors with random numbers,
io.safetensors (texts padded at the end) and masks.safetensors (padding in front, holes). The arithmetic follows the
models' published descriptions, in float32 and as plainly as it can be written.
"""
import json
import math
import os
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file


# --- What both share

def linear(w, name, x):
    return F.linear(x, w[name + ".weight"], w.get(name + ".bias"))


def norm(w, name, x, eps):
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], eps)


def act(name, x):
    return {"gelu": F.gelu, "relu": F.relu, "silu": F.silu}[name](x)


def heads(x, n):
    return x.unflatten(-1, (n, -1)).transpose(1, 2)


def attend(q, k, v, bias, mask):
    scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]) + bias
    scores = scores.masked_fill(mask[:, None, None, :] == 0, torch.finfo(torch.float32).min)
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


def embedded(w, c, p, ids, types):
    x = w[p + "embeddings.word_embeddings.weight"][ids]
    if c["type_vocab_size"]:
        x = x + w[p + "embeddings.token_type_embeddings.weight"][types]
    if c.get("position_embedding_type") == "absolute":
        x = x + w[p + "embeddings.position_embeddings.weight"][torch.arange(ids.shape[1])]
    return norm(w, p + "embeddings.LayerNorm", x, c["layer_norm_eps"])


def pooled(w, p, x):
    return torch.tanh(linear(w, p + "pooler.dense", x[:, 0]))


# --- new: rotary positions, perhaps stretched; one tensor for queries, keys and values, one for up and gate

def angles(c, length):
    d = c["hidden_size"] // c["num_attention_heads"]
    base, scaling = c["rope_theta"], c.get("rope_scaling")
    mixed = scaling and scaling.get("mixed_b")
    if scaling and mixed is None:
        base = base * scaling["factor"]
    frequency = 1.0 / (base ** (torch.arange(0, d, 2).float() / d))
    if mixed is not None and scaling:
        a = torch.tensor(scaling["factor"]).log() / (d / 2) ** mixed
        frequency = frequency / (a * torch.arange(1, d // 2 + 1).float() ** mixed).exp()
    elif scaling:
        frequency = frequency / scaling["factor"] ** (2 / d)
    a = torch.outer(torch.arange(length).float(), frequency)
    return torch.cat((a, a), -1)


def turned(x, a):
    half = x.shape[-1] // 2
    return x * a.cos() + torch.cat((-x[..., half:], x[..., :half]), -1) * a.sin()


def new_encoder(w, c, p, ids, mask, types):
    x = embedded(w, c, p, ids, types)
    n, eps = c["num_attention_heads"], c["layer_norm_eps"]
    rotary = c["position_embedding_type"] == "rope"
    a = angles(c, ids.shape[1]) if rotary else None
    for i in range(c["num_hidden_layers"]):
        b = f"{p}encoder.layer.{i}."
        if c.get("pack_qkv", True):
            q, k, v = (heads(y, n) for y in linear(w, b + "attention.qkv_proj", x).chunk(3, -1))
        else:
            q, k, v = (heads(linear(w, f"{b}attention.{y}_proj", x), n) for y in "qkv")
        if rotary:
            q, k = turned(q, a), turned(k, a)
        y = linear(w, b + "attention.o_proj", attend(q, k, v, 0, mask))
        x = norm(w, b + "attn_ln", x + y, eps)
        up, gate = linear(w, b + "mlp.up_gate_proj", x).chunk(2, -1)
        x = norm(w, b + "mlp_ln", x + linear(w, b + "mlp.down_proj", act(c["hidden_act"], gate) * up), eps)
    return x


def new_weights(c, p, head):
    h, m, v = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    w = {}
    w[p + "embeddings.word_embeddings.weight"] = (v, h)
    if c["type_vocab_size"]:
        w[p + "embeddings.token_type_embeddings.weight"] = (c["type_vocab_size"], h)
    if c["position_embedding_type"] == "absolute":
        w[p + "embeddings.position_embeddings.weight"] = (c["max_position_embeddings"], h)
    add_norm(w, p + "embeddings.LayerNorm", h)
    for i in range(c["num_hidden_layers"]):
        b = f"{p}encoder.layer.{i}."
        if c.get("pack_qkv", True):
            add_linear(w, b + "attention.qkv_proj", 3 * h, h)
        else:
            for y in "qkv":
                add_linear(w, f"{b}attention.{y}_proj", h, h)
        add_linear(w, b + "attention.o_proj", h, h)
        add_linear(w, b + "mlp.up_gate_proj", 2 * m, h, bias=False)
        add_linear(w, b + "mlp.down_proj", h, m)
        add_norm(w, b + "attn_ln", h)
        add_norm(w, b + "mlp_ln", h)
    if head in ("model", "sequence"):
        add_linear(w, p + "pooler.dense", h, h)
    if head == "masked":
        add_linear(w, "lm_head.dense", h, h)
        add_norm(w, "lm_head.norm", h)
        w["lm_head.decoder.bias"] = (v,)
    return w


# --- JinaBERT v2: a bias that falls with the distance, at both sides; `qk`: the code model, which norms queries and keys

def slopes(n):
    def of_power(k):
        first = 2 ** (-(2 ** -(math.log2(k) - 3)))
        return [first ** (i + 1) for i in range(k)]
    if math.log2(n).is_integer():
        return of_power(n)
    k = 2 ** math.floor(math.log2(n))
    return of_power(k) + slopes(2 * k)[0::2][:n - k]


def jina_encoder(w, c, p, ids, mask, types):
    x = embedded(w, c, p, ids, types)
    n, eps, kind = c["num_attention_heads"], c["layer_norm_eps"], c["feed_forward_type"]
    place = torch.arange(ids.shape[1])
    distance = (place[None, :] - place[:, None]).abs().float()
    bias = -torch.tensor(slopes(n))[:, None, None] * distance
    code = f"{p}encoder.layer.0.layer_norm_1.weight" in w
    for i in range(c["num_hidden_layers"]):
        b = f"{p}encoder.layer.{i}."
        q, k, v = (linear(w, f"{b}attention.self.{y}", x) for y in ("query", "key", "value"))
        if code:
            q = norm(w, b + "attention.self.layer_norm_q", q, eps)
            k = norm(w, b + "attention.self.layer_norm_k", k, eps)
        y = linear(w, b + "attention.output.dense", attend(heads(q, n), heads(k, n), heads(v, n), bias, mask))
        y = norm(w, b + "attention.output.LayerNorm", y + x, eps)
        if code:
            x = norm(w, b + "layer_norm_1", x + y, eps)
            x = norm(w, b + "layer_norm_2", x + jina_code_mlp(w, c, b, x), eps)
        elif kind.endswith("glu"):
            gated, plain = linear(w, b + "mlp.gated_layers", y).chunk(2, -1)
            gated = act("relu" if kind == "reglu" else "gelu", gated)
            x = norm(w, b + "mlp.layernorm", y + linear(w, b + "mlp.wo", gated * plain), eps)
        else:
            up = act(c["hidden_act"], linear(w, b + "intermediate.dense", y))
            x = norm(w, b + "output.LayerNorm", y + linear(w, b + "output.dense", up), eps)
    return x


def jina_code_mlp(w, c, b, x):
    kind = c["feed_forward_type"]
    if kind.endswith("glu"):
        up, gated = linear(w, b + "mlp.up_gated_layer", x).chunk(2, -1)
        return linear(w, b + "mlp.down_layer", up * act("relu" if kind == "reglu" else "gelu", gated))
    return linear(w, b + "mlp.down_layer", act(c["hidden_act"], linear(w, b + "mlp.up_layer", x)))


def jina_weights(c, p, head, code=False):
    h, m, v = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    glu = c["feed_forward_type"].endswith("glu")
    w = {p + "embeddings.word_embeddings.weight": (v, h),
         p + "embeddings.token_type_embeddings.weight": (c["type_vocab_size"], h)}
    add_norm(w, p + "embeddings.LayerNorm", h)
    for i in range(c["num_hidden_layers"]):
        b = f"{p}encoder.layer.{i}."
        for y in ("query", "key", "value"):
            add_linear(w, f"{b}attention.self.{y}", h, h)
        add_linear(w, b + "attention.output.dense", h, h)
        add_norm(w, b + "attention.output.LayerNorm", h)
        if code:
            for y in ("attention.self.layer_norm_q", "attention.self.layer_norm_k", "layer_norm_1", "layer_norm_2"):
                add_norm(w, b + y, h)
            add_linear(w, b + ("mlp.up_gated_layer" if glu else "mlp.up_layer"), 2 * m if glu else m, h, bias=False)
            add_linear(w, b + "mlp.down_layer", h, m)
        elif glu:
            add_linear(w, b + "mlp.gated_layers", 2 * m, h, bias=False)
            add_linear(w, b + "mlp.wo", h, m)
            add_norm(w, b + "mlp.layernorm", h)
        else:
            add_linear(w, b + "intermediate.dense", m, h)
            add_linear(w, b + "output.dense", h, m)
            add_norm(w, b + "output.LayerNorm", h)
    if head in ("model", "sequence"):
        add_linear(w, p + "pooler.dense", h, h)
    if head == "masked":
        add_linear(w, "cls.predictions.transform.dense", h, h)
        add_norm(w, "cls.predictions.transform.LayerNorm", h)
        w["cls.predictions.bias"] = (v,)
    return w


# --- UMT5's encoder: T5's, but that each layer has a bias of distances of its own

def rms(w, name, x, c):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + c["layer_norm_epsilon"]) * w[name + ".weight"]


def distances(c, length):
    place = torch.arange(length)
    d = place[None, :] - place[:, None]
    half = c["relative_attention_num_buckets"] // 2
    exact, size = half // 2, d.abs()
    far = torch.log(size.float() / exact) / math.log(c["relative_attention_max_distance"] / exact) * (half - exact)
    far = (exact + far.nan_to_num(0, 0, 0).long()).clamp(max=half - 1)
    return (d > 0) * half + torch.where(size < exact, size, far)


def t5_encoder(w, c, ids, mask):
    x, n, kind = w["shared.weight"][ids], c["num_heads"], c["feed_forward_proj"]
    acts = {"gated-gelu": lambda y: F.gelu(y, approximate="tanh"), "gated-silu": F.silu, "relu": F.relu}
    hidden = torch.where(mask[:, None, None, :] == 0, torch.finfo(torch.float32).min, 0.0)
    for i in range(c["num_layers"]):
        b = f"encoder.block.{i}.layer."
        own = w.get(f"{b}0.SelfAttention.relative_attention_bias.weight")
        bias = bias if own is None else own[distances(c, ids.shape[1])].permute(2, 0, 1)
        y = rms(w, b + "0.layer_norm", x, c)
        q, k, v = (heads(linear(w, f"{b}0.SelfAttention.{z}", y), n) for z in "qkv")
        y = (q @ k.transpose(2, 3) + bias + hidden).softmax(-1) @ v
        x = x + linear(w, b + "0.SelfAttention.o", y.transpose(1, 2).flatten(2))
        y = rms(w, b + "1.layer_norm", x, c)
        if kind.startswith("gated-"):
            y = acts[kind](linear(w, b + "1.DenseReluDense.wi_0", y)) * linear(w, b + "1.DenseReluDense.wi_1", y)
        else:
            y = acts[kind](linear(w, b + "1.DenseReluDense.wi", y))
        x = x + linear(w, b + "1.DenseReluDense.wo", y)
    return rms(w, "encoder.final_layer_norm", x, c)


def t5_weights(c):
    h, m, d = c["d_model"], c["d_ff"], c["d_kv"] * c["num_heads"]
    w = {"shared.weight": (c["vocab_size"], h), "encoder.final_layer_norm.weight": (h,)}
    for i in range(c["num_layers"]):
        b = f"encoder.block.{i}.layer."
        for y in "qkv":
            add_linear(w, f"{b}0.SelfAttention.{y}", d, h, bias=False)
        add_linear(w, b + "0.SelfAttention.o", h, d, bias=False)
        w[b + "0.SelfAttention.relative_attention_bias.weight"] = (c["relative_attention_num_buckets"], c["num_heads"])
        w[b + "0.layer_norm.weight"] = w[b + "1.layer_norm.weight"] = (h,)
        for y in ("wi_0", "wi_1"):
            add_linear(w, f"{b}1.DenseReluDense.{y}", m, h, bias=False)
        add_linear(w, b + "1.DenseReluDense.wo", h, m, bias=False)
    return w


def check(cases):
    for name in ("t5-encoder", "t5-encoder-gated", "mt5-encoder", "t5-silu"):
        folder = os.path.join(cases, name)
        w, c = load_file(os.path.join(folder, "model.safetensors")), json.load(open(os.path.join(folder, "config.json")))
        for file in ("io", "masks"):
            io = load_file(os.path.join(folder, file + ".safetensors"))
            mask = io["attention_mask"]
            off = (t5_encoder(w, c, io["input_ids"], mask) - io["out.last_hidden_state"]).abs()
            print(name, file, float((off * (mask[..., None] != 0)).max()))


# --- Heads

def add_linear(w, name, rows, columns, bias=True):
    w[name + ".weight"] = (rows, columns)
    if bias:
        w[name + ".bias"] = (rows,)


def add_norm(w, name, n):
    w[name + ".weight"] = (n,)
    w[name + ".bias"] = (n,)


def outputs(kind, w, c, head, ids, mask, types):
    if kind == "t5":
        return {"out.last_hidden_state": t5_encoder(w, c, ids, mask)}
    p = "" if head == "model" else "new." if kind == "new" else "bert."
    x = (new_encoder if kind == "new" else jina_encoder)(w, c, p, ids, mask, types)
    if head == "model":
        return {"out.last_hidden_state": x, "out.pooler_output": pooled(w, p, x)}
    if head == "sequence":
        return {"out.logits": linear(w, "classifier", pooled(w, p, x))}
    if head == "token":
        return {"out.logits": linear(w, "classifier", x)}
    if head == "answer":
        start, end = linear(w, "qa_outputs", x).unbind(-1)
        return {"out.start_logits": start, "out.end_logits": end}
    names = ("lm_head.dense", "lm_head.norm", "lm_head.decoder.bias") if kind == "new" else (
        "cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias")
    x = norm(w, names[1], act(c["hidden_act"], linear(w, names[0], x)), c["layer_norm_eps"])
    return {"out.logits": F.linear(x, w[p + "embeddings.word_embeddings.weight"], w[names[2]])}


# --- Cases

BASE = {"attention_probs_dropout_prob": 0.0, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 48,
        "initializer_range": 0.02, "intermediate_size": 80, "layer_norm_eps": 1e-12, "max_position_embeddings": 64,
        "num_attention_heads": 4, "num_hidden_layers": 2, "pad_token_id": 0, "type_vocab_size": 2, "vocab_size": 90}
NEW = dict(BASE, model_type="new", layer_norm_type="layer_norm", logn_attention_clip1=False, logn_attention_scale=False,
           pack_qkv=True, position_embedding_type="rope", rope_scaling={"factor": 2.0, "type": "ntk"}, rope_theta=500000,
           unpad_inputs=False, use_memory_efficient_attention=False,
           auto_map={"AutoModel": "Alibaba-NLP/new-impl--modeling.NewModel"})
JINA = dict(BASE, model_type="bert", attn_implementation="torch", emb_pooler="mean", feed_forward_type="geglu",
            position_embedding_type="alibi", use_cache=True,
            auto_map={"AutoModel": "jinaai/jina-bert-implementation--modeling_bert.JinaBertModel"})
UMT5 = {"d_ff": 48, "d_kv": 12, "d_model": 32, "dense_act_fn": "gelu_new", "eos_token_id": 1, "model_type": "umt5",
        "feed_forward_proj": "gated-gelu", "is_encoder_decoder": True, "is_gated_act": True, "layer_norm_epsilon": 1e-6,
        "num_decoder_layers": 2, "num_heads": 4, "num_layers": 2, "pad_token_id": 0, "scalable_attention": True,
        "relative_attention_max_distance": 20, "relative_attention_num_buckets": 12, "tie_word_embeddings": False,
        "vocab_size": 90}
LABELS = {"id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}}
# name, family, class, head, config, the code model
CASES = [
    ("new-model", "new", "NewModel", "model", dict(NEW, type_vocab_size=0)),
    ("new-unscaled", "new", "NewModel", "model",
     dict(NEW, rope_scaling=None, rope_theta=20000, type_vocab_size=1, hidden_act="silu", pack_qkv=False)),
    ("new-mixed", "new", "NewModel", "model",
     dict(NEW, rope_scaling={"factor": 8.0, "mixed_b": 0.75, "type": "ntk"}, num_hidden_layers=1, intermediate_size=32)),
    ("umt5-encoder", "t5", "UMT5EncoderModel", "model", UMT5),
    ("new-absolute", "new", "NewModel", "model",
     dict(NEW, position_embedding_type="absolute", num_attention_heads=3, rope_scaling=None)),
    ("new-mlm", "new", "NewForMaskedLM", "masked", dict(NEW, rope_scaling={"factor": 8.0, "type": "ntk"})),
    ("new-seqcls", "new", "NewForSequenceClassification", "sequence", dict(NEW, **LABELS)),
    ("new-tokcls", "new", "NewForTokenClassification", "token", dict(NEW, **LABELS)),
    ("new-qa", "new", "NewForQuestionAnswering", "answer", NEW),
    ("jina-bert-model", "jina", "JinaBertModel", "model", JINA),
    ("jina-bert-six-heads", "jina", "JinaBertModel", "model",
     dict(JINA, num_attention_heads=6, feed_forward_type="reglu")),
    ("jina-bert-plain", "jina", "JinaBertModel", "model", dict(JINA, feed_forward_type="original")),
    ("jina-bert-mlm", "jina", "JinaBertForMaskedLM", "masked", JINA),
    ("jina-bert-seqcls", "jina", "JinaBertForSequenceClassification", "sequence", dict(JINA, **LABELS)),
    ("jina-bert-code", "jina", "JinaBertModel", "model", JINA, True),
]
HOLES = torch.tensor([[1] * 20 + [0] * 4, [0] * 7 + [1] * 17, [1, 1, 0, 1, 0, 0] * 4, [1] * 24])
ENDS = torch.tensor([[1] * 24, [1] * 13 + [0] * 11, [1] + [0] * 23])


def tensor_of(name, shape, generator):
    gamma = len(shape) == 1 and name.endswith(".weight")
    wide = len(shape) == 2 and "embeddings" not in name
    head = "pooler" in name or "classifier" in name
    scale = (0.4 if head else 0.8) / math.sqrt(shape[1]) if wide else 1 if len(shape) == 2 else 0.2
    return torch.randn(shape, generator=generator) * scale + gamma


def write_case(folder, row):
    name, kind, of, head, config = row[:5]
    code = len(row) > 5
    os.makedirs(os.path.join(folder, name), exist_ok=True)
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    p = "" if head == "model" else "new." if kind == "new" else "bert."
    shapes = (t5_weights(config) if kind == "t5" else new_weights(config, p, head) if kind == "new"
              else jina_weights(config, p, head, code))
    if head in ("sequence", "token"):
        add_linear(shapes, "classifier", 3, config["hidden_size"])
    if head == "answer":
        add_linear(shapes, "qa_outputs", 2, config["hidden_size"])
    w = {k: tensor_of(k, s, generator) for k, s in shapes.items()}
    with open(os.path.join(folder, name, "config.json"), "w") as f:
        json.dump(dict(config, architectures=[of]), f, indent=2, sort_keys=True)
    save_file(w, os.path.join(folder, name, "model.safetensors"), metadata={"format": "pt"})
    for file, mask in (("io", ENDS), ("masks", HOLES)):
        ids = torch.randint(1, config["vocab_size"], mask.shape, generator=generator)
        types = torch.randint(0, max(config.get("type_vocab_size", 0), 1), mask.shape, generator=generator)
        out = outputs(kind, w, config, head, ids, mask, types)
        given = {"input_ids": ids, "attention_mask": mask}
        if kind != "t5":
            given["token_type_ids"] = types
        save_file({k: v.contiguous() for k, v in {**given, **out}.items()},
                  os.path.join(folder, name, file + ".safetensors"))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    torch.set_grad_enabled(False)
    if sys.argv[1] == "--check":
        check(sys.argv[2])
    for case in CASES:
        if sys.argv[1] != "--check" and case[0] in sys.argv[2:] + [case[0]] * (len(sys.argv) == 2):
            write_case(sys.argv[1], case)

"""Encoders of the BERT family in plain PyTorch, over the tensors of a Hugging Face folder: what training is held
against (curves.py). Every tensor of the folder is a leaf in float32; a forward is a function of them, without dropout.

`check` holds a folder's own reference outputs against these forwards, so that the curves stand on the same model.
"""

import json
import math
import os
import struct

import numpy as np
import torch
import torch.nn.functional as F

TYPES = {"F32": np.float32, "F16": np.float16, "F64": np.float64, "I64": np.int64, "I32": np.int32}


def read(path):
    """The tensors of a safetensors file, by name."""
    with open(path, "rb") as f:
        data = f.read()
    size = struct.unpack("<Q", data[:8])[0]
    out = {}
    for name, t in json.loads(data[8:8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = t["data_offsets"]
        x = np.frombuffer(data[8 + size + begin:8 + size + end], TYPES[t["dtype"]]).reshape(t["shape"])
        out[name] = torch.tensor(x.copy())
    return out


def write(path, tensors):
    """Writes float32 or int64 tensors as a safetensors file."""
    header, data = {}, b""
    for name in sorted(tensors):
        x = tensors[name].detach().contiguous().numpy()
        raw = x.tobytes()
        header[name] = {"dtype": "I64" if x.dtype == np.int64 else "F32", "shape": list(x.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


BERT_LAYER = dict(query="attention.self.query", key="attention.self.key", value="attention.self.value",
                  output="attention.output.dense", norm="attention.output.LayerNorm",
                  up="intermediate.dense", down="output.dense", last="output.LayerNorm")
MPNET_LAYER = dict(query="attention.attn.q", key="attention.attn.k", value="attention.attn.v",
                   output="attention.attn.o", norm="attention.LayerNorm",
                   up="intermediate.dense", down="output.dense", last="output.LayerNorm")
DISTILBERT_LAYER = dict(query="attention.q_lin", key="attention.k_lin", value="attention.v_lin",
                        output="attention.out_lin", norm="sa_layer_norm",
                        up="ffn.lin1", down="ffn.lin2", last="output_layer_norm")
ALBERT_LAYER = dict(query="attention.query", key="attention.key", value="attention.value", output="attention.dense",
                    norm="attention.LayerNorm", up="ffn", down="ffn_output", last="full_layer_layer_norm")

FAMILIES = {
    "bert": dict(prefix="bert.", layer="encoder.layer.%d.", names=BERT_LAYER),
    "electra": dict(prefix="electra.", layer="encoder.layer.%d.", names=BERT_LAYER),
    "xlm-roberta": dict(prefix="roberta.", layer="encoder.layer.%d.", names=BERT_LAYER),
    "roberta": dict(prefix="roberta.", layer="encoder.layer.%d.", names=BERT_LAYER),
    "mpnet": dict(prefix="mpnet.", layer="encoder.layer.%d.", names=MPNET_LAYER),
    "distilbert": dict(prefix="distilbert.", layer="transformer.layer.%d.", names=DISTILBERT_LAYER),
    "albert": dict(prefix="albert.", layer="encoder.albert_layer_groups.0.albert_layers.0.", names=ALBERT_LAYER),
    "modernbert": dict(prefix="model."),
}


def gelu_tanh(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


ACTIVATIONS = {"gelu": F.gelu, "gelu_new": gelu_tanh, "gelu_pytorch_tanh": gelu_tanh, "relu": F.relu, "silu": F.silu}


class Model:
    """A folder's tensors and config. `p`: the leaves by the names that the folder gives them."""

    def __init__(self, folder, also=None):
        with open(os.path.join(folder, "config.json")) as f:
            self.config = json.load(f)
        tensors = read(os.path.join(folder, "model.safetensors"))
        tensors.update(also or {})
        self.kind = self.config["model_type"]
        self.family = FAMILIES[self.kind]
        self.p = {k: v.float().requires_grad_() for k, v in tensors.items() if v.is_floating_point()}
        prefix = self.family["prefix"]
        self.prefix = prefix if any(k.startswith(prefix) for k in self.p) else ""
        self.eps = self.config.get("layer_norm_eps", self.config.get("norm_eps", 1e-12))
        if self.kind == "distilbert":
            self.eps = 1e-12
        act = self.config.get("hidden_act", self.config.get("activation", self.config.get("hidden_activation", "gelu")))
        self.act = ACTIVATIONS[act]
        self.heads = self.config.get("num_attention_heads", self.config.get("n_heads"))
        self.layers = self.config.get("num_hidden_layers", self.config.get("n_layers"))
        self.lora = {}  # low-rank adapters by the layer's name: the names of A and B in p, and the scale

    def linear(self, name, x):
        y = F.linear(x, self.p[name + ".weight"], self.p.get(name + ".bias"))
        if name not in self.lora:
            return y
        a, b, scale = self.lora[name]
        return y + F.linear(F.linear(x, self.p[a]), self.p[b]) * scale

    def norm(self, name, x, eps=None):
        w = self.p[name + ".weight"]
        return F.layer_norm(x, w.shape, w, self.p.get(name + ".bias"), eps or self.eps)

    def has(self, name):
        return name + ".weight" in self.p

    # --- The encoder

    def positions(self, ids):
        if self.kind in ("roberta", "xlm-roberta", "mpnet"):
            pad = self.config.get("pad_token_id", 1)
            shown = (ids != pad).long()
            return torch.cumsum(shown, 1) * shown + pad
        return torch.arange(ids.shape[1])[None].expand_as(ids)

    def embeddings(self, ids, types):
        e = self.prefix + "embeddings."
        x = self.p[e + "word_embeddings.weight"][ids]
        if self.has(e + "token_type_embeddings"):
            x = x + self.p[e + "token_type_embeddings.weight"][types]
        x = x + self.p[e + "position_embeddings.weight"][self.positions(ids)]
        x = self.norm(e + "LayerNorm", x)
        for name in ("embeddings_project", "encoder.embedding_hidden_mapping_in"):
            if self.has(self.prefix + name):
                x = self.linear(self.prefix + name, x)
        return x

    def heads_of(self, x):
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def distances(self, length):
        """MPNet: what each distance adds to a head's scores, by buckets as T5's."""
        d = torch.arange(length)[None] - torch.arange(length)[:, None]
        half = self.config.get("relative_attention_num_buckets", 32) // 2
        exact, size = half // 2, d.abs()
        far = exact + (torch.log(size.clamp(min=1).float() / exact) / math.log(128 / exact) * (half - exact)).long()
        bucket = (d > 0).long() * half + torch.where(size < exact, size, far.clamp(max=half - 1))
        return self.p[self.prefix + "encoder.relative_attention_bias.weight"][bucket].permute(2, 0, 1)[None]

    def attention(self, q, k, v, bias):
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3]) + bias
        x = torch.softmax(scores, -1) @ v
        return x.transpose(1, 2).flatten(2)

    def layer(self, i, x, bias):
        at = self.prefix + self.family["layer"]
        at = at % i if "%" in at else at
        n = {k: at + v for k, v in self.family["names"].items()}
        q, k, v = (self.heads_of(self.linear(n[w], x)) for w in ("query", "key", "value"))
        x = self.norm(n["norm"], self.linear(n["output"], self.attention(q, k, v, bias)) + x)
        return self.norm(n["last"], self.linear(n["down"], self.act(self.linear(n["up"], x))) + x)

    def turn(self, x, theta):
        half = x.shape[3] // 2
        f = 1 / theta ** (torch.arange(0, 2 * half, 2).float() / (2 * half))
        angle = torch.arange(x.shape[2]).float()[:, None] * f[None]
        c, s, a, b = angle.cos(), angle.sin(), x[..., :half], x[..., half:]
        return torch.cat([a * c - b * s, b * c + a * s], -1)

    def modern_layer(self, i, x, bias):
        c, at = self.config, f"{self.prefix}layers.{i}."
        wide = i % c.get("global_attn_every_n_layers", 3) == 0
        rope = c.get("rope_parameters") or {}
        theta = c.get("global_rope_theta", rope.get("full_attention", {}).get("rope_theta", 160000.0)) if wide else \
            c.get("local_rope_theta", rope.get("sliding_attention", {}).get("rope_theta", 10000.0))
        if not wide:
            d = torch.arange(x.shape[1])
            near = (d[None] - d[:, None]).abs() <= c.get("local_attention", 128) // 2
            bias = bias + torch.where(near, 0.0, -1e30)
        y = self.norm(at + "attn_norm", x) if self.has(at + "attn_norm") else x
        q, k, v = (self.heads_of(t) for t in self.linear(at + "attn.Wqkv", y).chunk(3, -1))
        y = self.attention(self.turn(q, theta), self.turn(k, theta), v, bias)
        x = x + self.linear(at + "attn.Wo", y)
        a, gate = self.linear(at + "mlp.Wi", self.norm(at + "mlp_norm", x)).chunk(2, -1)
        return x + self.linear(at + "mlp.Wo", self.act(a) * gate)

    def encode(self, ids, mask, types=None):
        """Rows of the last layer, [batch,length,width]."""
        bias = torch.where(mask.bool(), 0.0, -1e30)[:, None, None]
        if self.kind == "modernbert":
            x = self.norm(self.prefix + "embeddings.norm", self.p[self.prefix + "embeddings.tok_embeddings.weight"][ids])
            for i in range(self.layers):
                x = self.modern_layer(i, x, bias)
            return self.norm(self.prefix + "final_norm", x)
        x = self.embeddings(ids, torch.zeros_like(ids) if types is None else types)
        if self.kind == "mpnet":
            bias = bias + self.distances(ids.shape[1])
        for i in range(self.layers):
            x = self.layer(i, x, bias)
        return x

    # --- Heads

    def pooled(self, x):
        name = self.prefix + ("pooler" if self.kind == "albert" else "pooler.dense")
        return torch.tanh(self.linear(name, x[:, 0]))

    def modern_head(self, x):
        x = self.linear("head.dense", x)
        return self.norm("head.norm", ACTIVATIONS[self.config.get("classifier_activation", "gelu")](x))

    def classify(self, x, mask):
        if self.kind == "modernbert":
            if self.config.get("classifier_pooling", "cls") == "mean":
                x = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            else:
                x = x[:, 0]
            return self.linear("classifier", self.modern_head(x))
        if self.kind in ("bert", "albert"):
            return self.linear("classifier", self.pooled(x))
        if self.kind == "distilbert":
            return self.linear("classifier", F.relu(self.linear("pre_classifier", x[:, 0])))
        act = F.gelu if self.kind == "electra" else torch.tanh
        return self.linear("classifier.out_proj", act(self.linear("classifier.dense", x[:, 0])))

    def tag(self, x):
        return self.linear("classifier", self.modern_head(x) if self.kind == "modernbert" else x)

    def spans(self, x):
        modern = self.kind == "modernbert"
        x = self.linear("classifier", self.modern_head(x)) if modern else self.linear("qa_outputs", x)
        return x[..., 0], x[..., 1]

    def predict(self, x):
        """Logits over the vocabulary."""
        word = self.prefix + "embeddings.word_embeddings.weight"
        names = {"bert": ("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias"),
                 "roberta": ("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
                 "xlm-roberta": ("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
                 "mpnet": ("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
                 "electra": ("generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head.bias"),
                 "distilbert": ("vocab_transform", "vocab_layer_norm", "vocab_projector.bias"),
                 "albert": ("predictions.dense", "predictions.LayerNorm", "predictions.bias"),
                 "modernbert": ("head.dense", "head.norm", "decoder.bias")}
        dense, norm, bias = names[self.kind]
        if self.kind == "modernbert":
            x, word = self.modern_head(x), self.prefix + "embeddings.tok_embeddings.weight"
        else:
            act = F.gelu if self.kind in ("roberta", "mpnet", "electra") else self.act
            x = self.norm(norm, act(self.linear(dense, x)))
        return F.linear(x, self.p[word], self.p[bias])

    def embed(self, x, mask):
        return (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def outputs(model, io):
    """What the folder's class gives for the inputs of io.safetensors, by the names of its outputs."""
    ids, mask = io["input_ids"], io.get("attention_mask", torch.ones_like(io["input_ids"]))
    x = model.encode(ids, mask, io.get("token_type_ids"))
    kind = model.config["architectures"][0]
    if kind.endswith("ForSequenceClassification"):
        return {"logits": model.classify(x, mask)}
    if kind.endswith("ForTokenClassification"):
        return {"logits": model.tag(x)}
    if kind.endswith("ForQuestionAnswering"):
        start, end = model.spans(x)
        return {"start_logits": start, "end_logits": end}
    if kind.endswith("ForMaskedLM"):
        return {"logits": model.predict(x)}
    if kind.endswith("ForPreTraining"):
        return {"prediction_logits": model.predict(x),
                "seq_relationship_logits": model.linear("cls.seq_relationship", model.pooled(x))}
    return {"last_hidden_state": x}


def check(folder):
    """Fails where a forward here is not what Transformers gave."""
    io, model = read(os.path.join(folder, "io.safetensors")), Model(folder)
    mask = io.get("attention_mask", torch.ones_like(io["input_ids"]))
    worst = 0
    with torch.no_grad():
        for name, x in outputs(model, io).items():
            d = (x - io["out." + name]).abs()
            shown = mask if d.dim() > 1 and d.shape[1] == mask.shape[1] else mask[:, 0]
            worst = max(worst, d[shown.bool()].max().item())
    assert worst < 5e-5, f"{folder} is off by {worst}"
    return worst

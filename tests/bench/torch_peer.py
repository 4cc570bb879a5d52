#!/usr/bin/env python3
"""PyTorch as a contender:  torch_peer.py FOLDER THREADS eager|inductor [bf16]

The encoder in plain modules, as Transformers builds it (a Linear a projection, scaled_dot_product_attention), float32 or bf16; with
`inductor` compiled by torch.compile with freezing, for the batch's shape."""
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from checkpoint import Checkpoint
from peer_io import serve


def linear(c, name):
    w = c[name + ".weight"]
    m = nn.Linear(w.shape[1], w.shape[0])
    m.weight.data, m.bias.data = torch.from_numpy(np.array(w)), torch.from_numpy(np.array(c[name + ".bias"]))
    return m


def norm(c, name):
    w = c[name + ".weight"]
    m = nn.LayerNorm(w.shape[0], eps=c.config.get("layer_norm_eps", 1e-12))
    m.weight.data, m.bias.data = torch.from_numpy(np.array(w)), torch.from_numpy(np.array(c[name + ".bias"]))
    return m


def table(c, name):
    return nn.Embedding.from_pretrained(torch.from_numpy(np.array(c[name + ".weight"])))


class Layer(nn.Module):
    def __init__(self, c, p):
        super().__init__()
        self.heads = c.config["num_attention_heads"]
        self.query, self.key, self.value = (linear(c, p + "attention.self." + n) for n in ("query", "key", "value"))
        self.out, self.norm = linear(c, p + "attention.output.dense"), norm(c, p + "attention.output.LayerNorm")
        self.up, self.down = linear(c, p + "intermediate.dense"), linear(c, p + "output.dense")
        self.last_norm = norm(c, p + "output.LayerNorm")

    def forward(self, x, mask):
        b, n, h = x.shape
        q, k, v = (f(x).view(b, n, self.heads, h // self.heads).transpose(1, 2)
                   for f in (self.query, self.key, self.value))
        a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(b, n, h)
        x = self.norm(self.out(a) + x)
        return self.last_norm(self.down(F.gelu(self.up(x))) + x)


class Bert(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.word, self.place, self.kind = (table(c, f"embeddings.{n}_embeddings")
                                            for n in ("word", "position", "token_type"))
        self.norm = norm(c, "embeddings.LayerNorm")
        self.layers = nn.ModuleList(Layer(c, f"encoder.layer.{i}.") for i in range(c.config["num_hidden_layers"]))
        self.pooler = linear(c, "pooler.dense") if "pooler.dense.weight" in c else None
        self.classifier = linear(c, "classifier") if "classifier.weight" in c else None

    def forward(self, ids, mask):
        x = self.word(ids) + self.kind(torch.zeros_like(ids)) + self.place(torch.arange(ids.shape[1]))
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x, mask)
        pooled = torch.tanh(self.pooler(x[:, 0])) if self.pooler is not None else None
        if self.classifier is not None:
            return (self.classifier(pooled),)
        return (x,) if pooled is None else (x, pooled)


folder, threads, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(threads)
start = time.perf_counter()
model = Bert(Checkpoint(folder)).eval()
if sys.argv[4:] == ["bf16"]:
    model = model.bfloat16()
if mode == "inductor":
    import torch._inductor.config as inductor

    inductor.freezing = True
    model = torch.compile(model, dynamic=False)
load_ms = (time.perf_counter() - start) * 1e3
print("PyTorch", torch.__version__, file=sys.stderr)
batch, last = None, None


def set_batch(ids, mask):
    global batch
    # Without padding there is no mask to add, as in Transformers.
    shown = None if mask.all() else torch.from_numpy(mask != 0)[:, None, None, :]
    batch = torch.from_numpy(ids.astype(np.int64)), shown


def call():
    global last
    with torch.no_grad():
        last = model(*batch)


def outputs():
    return [t.float().numpy() for t in last]


serve(load_ms, set_batch, call, outputs)

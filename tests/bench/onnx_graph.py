#!/usr/bin/env python3
"""Writes the encoder of a BERT checkpoint (config.json, model.safetensors) as an ONNX graph with the same weights.

usage: onnx_graph.py FOLDER FORM OUT.onnx

FORM  exporter  as PyTorch's exporter writes it: gathers, one MatMul and Add a projection, Reshape and Transpose for the heads,
                Div, Add of the mask, Softmax, GELU as Div, Erf, Add, Mul, Mul
      fused     as ONNX Runtime's optimiser for transformers leaves it: EmbedLayerNormalization, Attention,
                SkipLayerNormalization, BiasGelu of com.microsoft
      int8-s8   the fused graph as ONNX Runtime's quantize_dynamic leaves it: activations u8 by DynamicQuantizeLinear, weights
      int8-u8   signed or unsigned with one scale a matrix, MatMulInteger and QAttention

Inputs: input_ids, attention_mask, token_type_ids [batch, seq] (int64; int32 in the fused form). Outputs, by what the checkpoint
holds: last_hidden_state and pooler_output, or logits where it is a classifier. Needs the packages onnx and numpy.
"""
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from checkpoint import Checkpoint

FUSED_DOMAIN = "com.microsoft"


class Graph:
    def __init__(self):
        self.nodes, self.initialisers, self.count = [], {}, 0

    def constant(self, name, array):
        if name not in self.initialisers:
            self.initialisers[name] = numpy_helper.from_array(np.asarray(array, order="C"), name)
        return name

    def op(self, kind, inputs, outputs=None, domain="", **attributes):
        self.count += 1
        outputs = outputs or [f"{kind}_{self.count}"]
        self.nodes.append(
            helper.make_node(kind, inputs, outputs, name=f"{kind}_node_{self.count}", domain=domain, **attributes))
        return outputs[0]


class Bert:
    """What both forms share: weights by their names, projections, the rows that heads read."""

    def __init__(self, checkpoint, graph):
        self.c, self.g = checkpoint, graph
        config = checkpoint.config
        self.layers, self.hidden = config["num_hidden_layers"], config["hidden_size"]
        self.heads, self.eps = config["num_attention_heads"], config.get("layer_norm_eps", 1e-12)
        if config.get("hidden_act", "gelu") != "gelu":
            sys.exit("onnx_graph.py: only hidden_act gelu")

    def weight(self, name):  # [out, in] of the checkpoint as [in, out]
        return self.g.constant(name + ".weight.transposed", self.c[name + ".weight"].T)

    def vector(self, name):
        return self.g.constant(name, self.c[name])

    def norm_vectors(self, name):
        return [self.vector(name + ".weight"), self.vector(name + ".bias")]

    def matmul(self, x, name):
        return self.g.op("MatMul", [x, self.weight(name)])

    def linear(self, x, name):
        return self.g.op("Add", [self.vector(name + ".bias"), self.matmul(x, name)])

    def gemm(self, x, name, outputs=None):
        w = self.g.constant(name + ".weight", self.c[name + ".weight"])
        return self.g.op("Gemm", [x, w, self.vector(name + ".bias")], outputs, transB=1)

    def heads_on_top(self, x):
        """Adds the outputs that the checkpoint's weights make; returns [(name, shape)]."""
        outputs, labels = [], "classifier.weight" in self.c
        if not labels:
            self.g.op("Identity", [x], ["last_hidden_state"])
            outputs.append(("last_hidden_state", ["batch", "seq", self.hidden]))
        if "pooler.dense.weight" in self.c:
            first = self.g.op("Gather", [x, self.g.constant("zero", np.int64(0))], axis=1)
            pooled = self.g.op("Tanh", [self.gemm(first, "pooler.dense")], None if labels else ["pooler_output"])
            if labels:
                self.gemm(pooled, "classifier", ["logits"])
                outputs.append(("logits", ["batch", self.c["classifier.weight"].shape[0]]))
            else:
                outputs.append(("pooler_output", ["batch", self.hidden]))
        return outputs


class Exporter(Bert):
    ids = TensorProto.INT64

    def embeddings(self):
        g, p = self.g, "embeddings."
        one, zero = g.constant("axis_one", np.array([1])), g.constant("axis_zero", np.array([0]))
        places = self.c[p + "position_embeddings.weight"].shape[0]
        length = g.op("Gather", [g.op("Shape", ["input_ids"]), g.constant("one_index", np.int64(1))], axis=0)
        positions = g.op("Slice", [g.constant("positions", np.arange(places)[None]), zero,
                                   g.op("Unsqueeze", [length, zero]), one])
        word = g.op("Gather", [self.vector(p + "word_embeddings.weight"), "input_ids"])
        kind = g.op("Gather", [self.vector(p + "token_type_embeddings.weight"), "token_type_ids"])
        place = g.op("Gather", [self.vector(p + "position_embeddings.weight"), positions])
        return self.norm(g.op("Add", [g.op("Add", [word, kind]), place]), p + "LayerNorm")

    def norm(self, x, name):
        return self.g.op("LayerNormalization", [x, *self.norm_vectors(name)], axis=-1, epsilon=self.eps)

    def mask(self):
        g = self.g
        m = g.op("Unsqueeze", ["attention_mask", g.constant("axes_one_two", np.array([1, 2]))])
        hidden = g.op("Sub", [g.constant("one", np.float32(1)), g.op("Cast", [m], to=TensorProto.FLOAT)])
        return g.op("Mul", [hidden, g.constant("lowest", np.float32(np.finfo(np.float32).min))])

    def attention(self, x, p, mask):
        g, d = self.g, self.hidden // self.heads
        shape = g.constant("heads_shape", np.array([0, 0, self.heads, d]))

        def split(name, order):
            return g.op("Transpose", [g.op("Reshape", [self.linear(x, p + "self." + name), shape])], perm=order)

        q, k, v = split("query", [0, 2, 1, 3]), split("key", [0, 2, 3, 1]), split("value", [0, 2, 1, 3])
        scores = g.op("Div", [g.op("MatMul", [q, k]), g.constant("root", np.float32(d**0.5))])
        weights = g.op("Softmax", [g.op("Add", [scores, mask])], axis=-1)
        joined = g.op("Transpose", [g.op("MatMul", [weights, v])], perm=[0, 2, 1, 3])
        return g.op("Reshape", [joined, g.constant("rows_shape", np.array([0, 0, self.hidden]))])

    def gelu(self, x):
        g = self.g
        e = g.op("Erf", [g.op("Div", [x, g.constant("root_two", np.float32(2**0.5))])])
        e = g.op("Mul", [x, g.op("Add", [e, g.constant("one", np.float32(1))])])
        return g.op("Mul", [e, g.constant("half", np.float32(0.5))])

    def body(self):
        x, mask = self.embeddings(), self.mask()
        for i in range(self.layers):
            p = f"encoder.layer.{i}."
            context = self.attention(x, p + "attention.", mask)
            y = self.linear(context, p + "attention.output.dense")
            x = self.norm(self.g.op("Add", [y, x]), p + "attention.output.LayerNorm")
            y = self.linear(self.gelu(self.linear(x, p + "intermediate.dense")), p + "output.dense")
            x = self.norm(self.g.op("Add", [y, x]), p + "output.LayerNorm")
        return x


class Fused(Bert):
    ids = TensorProto.INT32

    def op(self, kind, inputs, outputs=None, **attributes):
        return self.g.op(kind, inputs, outputs, FUSED_DOMAIN, **attributes)

    def skip_norm(self, y, x, dense, norm):
        return self.op("SkipLayerNormalization", [y, x, *self.norm_vectors(norm), self.vector(dense + ".bias")],
                       epsilon=self.eps)

    def attention(self, x, p):
        names = [p + "self." + n for n in ("query", "key", "value")]
        w = self.g.constant(p + "qkv.weight", np.concatenate([self.c[n + ".weight"].T for n in names], axis=1))
        b = self.g.constant(p + "qkv.bias", np.concatenate([self.c[n + ".bias"] for n in names]))
        return self.op("Attention", [x, w, b, "attention_mask"], num_heads=self.heads)

    def body(self):
        e = "embeddings."
        tables = [self.vector(e + n + "_embeddings.weight") for n in ("word", "position", "token_type")]
        x = self.op("EmbedLayerNormalization", ["input_ids", "token_type_ids", *tables,
                                                *self.norm_vectors(e + "LayerNorm"), "attention_mask"],
                    ["embedded", "mask_index"], epsilon=self.eps)
        for i in range(self.layers):
            p = f"encoder.layer.{i}."
            y = self.matmul(self.attention(x, p + "attention."), p + "attention.output.dense")
            x = self.skip_norm(y, x, p + "attention.output.dense", p + "attention.output.LayerNorm")
            y = self.matmul(x, p + "intermediate.dense")
            y = self.op("BiasGelu", [y, self.vector(p + "intermediate.dense.bias")])
            x = self.skip_norm(self.matmul(y, p + "output.dense"), x, p + "output.dense", p + "output.LayerNorm")
        return x


class Quantised(Fused):
    signed = True

    def quantised(self, name, w):
        """The matrix, its scale and its zero point."""
        if self.signed:
            scale, zero = np.float32(np.abs(w).max() / 127), np.int8(0)
            q = np.clip(np.round(w / scale), -127, 127).astype(np.int8)
        else:
            low, high = min(w.min(), 0), max(w.max(), 0)
            scale = np.float32((high - low) / 255)
            zero = np.uint8(round(-low / scale))
            q = np.clip(np.round(w / scale) + zero, 0, 255).astype(np.uint8)
        return (self.g.constant(name + ".quantised", q), self.g.constant(name + ".scale", np.asarray(scale)),
                self.g.constant(name + ".zero", np.asarray(zero)))

    def rows(self, x):
        """u8 rows, their scale and zero point; made once of each value."""
        if not hasattr(self, "made"):
            self.made = {}
        if x not in self.made:
            names = [f"{x}_u8", f"{x}_scale", f"{x}_zero"]
            self.g.op("DynamicQuantizeLinear", [x], names)
            self.made[x] = names
        return self.made[x]

    def matmul(self, x, name):
        w, scale, zero = self.quantised(name, self.c[name + ".weight"].T.astype(np.float32))
        q, x_scale, x_zero = self.rows(x)
        sums = self.g.op("Cast", [self.g.op("MatMulInteger", [q, w, x_zero, zero])], to=TensorProto.FLOAT)
        return self.g.op("Mul", [sums, self.g.op("Mul", [x_scale, scale])])

    def attention(self, x, p):
        names = [p + "self." + n for n in ("query", "key", "value")]
        joined = np.concatenate([self.c[n + ".weight"].T for n in names], axis=1).astype(np.float32)
        w, scale, zero = self.quantised(p + "qkv", joined)
        b = self.g.constant(p + "qkv.bias", np.concatenate([self.c[n + ".bias"] for n in names]))
        q, x_scale, x_zero = self.rows(x)
        return self.op("QAttention", [q, w, b, x_scale, scale, "attention_mask", x_zero, zero], num_heads=self.heads)


class Unsigned(Quantised):
    signed = False


FORMS = {"exporter": Exporter, "fused": Fused, "int8-s8": Quantised, "int8-u8": Unsigned}


def main():
    if len(sys.argv) != 4 or sys.argv[2] not in FORMS:
        sys.exit(__doc__)
    folder, form, out = sys.argv[1:]
    g = Graph()
    bert = FORMS[form](Checkpoint(folder), g)
    outputs = bert.heads_on_top(bert.body())
    inputs = [helper.make_tensor_value_info(n, bert.ids, ["batch", "seq"])
              for n in ("input_ids", "attention_mask", "token_type_ids")]
    results = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in outputs]
    graph = helper.make_graph(g.nodes, "bert", inputs, results, list(g.initialisers.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(FUSED_DOMAIN, 1)])
    model.ir_version = 8
    onnx.save(model, out + ".part")
    os.replace(out + ".part", out)


if __name__ == "__main__":
    main()

"""curves.safetensors and spreads.safetensors: fifty steps of training of tiny models, a task and a family each, in plain PyTorch (families.py, curves.py).
The C tests make the same batches (curve_case.h) and hold the compiled step against these losses, norms and last weights.

Run: python3 cases.py [CASE]... The models are folders of tests/models/cases; a head that a folder lacks is drawn as bertc
does (fresh.h), by seed 1.
"""

import math
import os
import sys

import numpy as np
import torch
import torch.nn.functional as functional

import curves
import families

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS, TEXTS = 50, 4
WRAP = (1 << 64) - 1

# name: the folder, the task, and how many labels a new head has (0: the folder's). A case's place here is its seed.
# cosine: embed, of pairs; teacher: tag, with another model's logits; weights: classify, with weights and smoothing.
CASES = {
    "albert-mlm": ("albert-mlm", "mlm", 0),
    "bert-answer": ("bert-mlm", "answer", 2),
    "bert-classify": ("bert-seqcls", "classify", 0),
    "bert-embed": ("bert-base-model", "embed", 0),
    "bert-mlm": ("bert-mlm", "mlm", 0),
    "bert-pretrain": ("bert-pretraining", "pretrain", 0),
    "bert-regress": ("bert-mlm", "regress", 1),
    "bert-several": ("bert-mlm", "several", 4),
    "bert-tag": ("bert-mlm", "tag", 5),
    "distilbert-classify": ("distilbert-sinusoidal", "classify", 3),
    "electra-classify": ("electra-mlm", "classify", 3),
    "modernbert-answer": ("modernbert-qa", "answer", 2),
    "modernbert-classify": ("modernbert-model", "classify", 3),
    "mpnet-classify": ("mpnet-model", "classify", 3),
    "roberta-tag": ("xlm-roberta-tokcls", "tag", 0),
    "bert-cosine": ("bert-base-model", "cosine", 0),
    "bert-teacher": ("bert-mlm", "teacher", 5),
    "bert-weights": ("bert-mlm", "weights", 3),
    "albert-lora": ("albert-mlm", "tag", 5),
    "bert-lora": ("bert-mlm", "classify", 3),
    "bert-lora-mlm": ("bert-mlm", "mlm", 0),
    "distilbert-lora": ("distilbert-sinusoidal", "classify", 3),
    "modernbert-lora": ("modernbert-model", "classify", 3),
    "mpnet-lora": ("mpnet-model", "classify", 3),
    "roberta-lora": ("xlm-roberta-tokcls", "tag", 0),
    "bert-answer-teacher": ("bert-mlm", "answer-teacher", 2),
    "bert-embed-teacher": ("bert-base-model", "embed-teacher", 0),
}
# Cases with low-rank adapters: ends of the layers' names, rank and alpha.
LORA = {
    "albert-lora": (["query", "value", "ffn"], 3, 8),
    "bert-lora": (["query", "value"], 4, 16),
    "bert-lora-mlm": (["query", "key", "value", "dense"], 8, 8),
    "distilbert-lora": (["q_lin", "v_lin", "lin1"], 4, 8),
    "modernbert-lora": (["Wqkv", "Wi", "Wo"], 5, 8),
    "mpnet-lora": (["q", "v", "o"], 1, 2),
    "roberta-lora": (["query", "key", "value", "dense"], 8, 8),
}


class Numbers:
    """The numbers that batches are made of: curve_case.h has the same."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 1664525 + 1013904223) & 0xffffffff
        return (self.state >> 8) % n


def batch(r, task, vocab, labels, width):
    b = {"ids": [[5 + r.below(vocab - 5) for _ in range(3 + r.below(8))] for _ in range(TEXTS)]}
    for ids in b["ids"]:
        n = len(ids)
        if task in ("classify", "several", "regress", "weights"):
            one = {"classify": lambda: r.below(labels), "weights": lambda: r.below(labels), "regress": lambda: r.below(1000) / 500 - 1,
                   "several": lambda: [float(r.below(2)) for _ in range(labels)]}[task]()
            b.setdefault("labels", []).append(one)
        if task in ("tag", "teacher", "mlm", "pretrain"):
            # Of a masked LM the rows that have a label are those that the head reads.
            known = [r.below(4) != 0 for _ in range(n)] if task in ("tag", "teacher") else [r.below(4) == 0 for _ in range(n)]
            known[0] = True
            b.setdefault("labels", []).append([r.below(labels or vocab) if k else -100 for k in known])
        if task == "teacher":
            b.setdefault("teacher", []).append([[r.below(1000) / 250 - 2 for _ in range(labels)] for _ in range(n)])
        if task == "cosine":
            b.setdefault("labels", []).append(r.below(1000) / 1000)
        if task == "pretrain":
            b.setdefault("next", []).append(r.below(2))
        if task in ("answer", "answer-teacher"):
            start = r.below(n)
            b.setdefault("spans", []).append((start, start + r.below(n - start)))
        if task == "answer-teacher":
            b.setdefault("teacher", []).append([[r.below(1000) / 250 - 2 for _ in range(2)] for _ in range(n)])
        if task == "embed-teacher":
            b.setdefault("teacher", []).append([r.below(1000) / 250 - 2 for _ in range(width)])
    return b


def pad(rows, value):
    n = max(map(len, rows))
    return torch.tensor([row + [value] * (n - len(row)) for row in rows])


def loss_of(task):
    def loss(model, b):
        ids = pad(b["ids"], model.config.get("pad_token_id") or 0)
        mask = pad([[1] * len(row) for row in b["ids"]], 0)
        x = model.encode(ids, mask)
        if task == "classify":
            return F.cross_entropy(model.classify(x, mask), torch.tensor(b["labels"]))
        if task == "several":
            return F.binary_cross_entropy_with_logits(model.classify(x, mask), torch.tensor(b["labels"]))
        if task == "regress":
            return F.mse_loss(model.classify(x, mask).flatten(), torch.tensor(b["labels"]))
        if task == "weights":
            return F.cross_entropy(model.classify(x, mask), torch.tensor(b["labels"]), torch.tensor([0.5, 1, 2]),
                                   label_smoothing=0.1)
        if task == "cosine":
            e = F.normalize(model.embed(x, mask))
            return F.mse_loss((e[:2] * e[2:]).sum(1), torch.tensor(b["labels"][:2]))
        if task in ("embed", "embed-teacher"):
            plain = model.embed(x, mask)
            e = F.normalize(plain)
            hard = F.cross_entropy(20 * e[:2] @ e[2:].T, torch.tensor([0, 1]))
            return hard if task == "embed" else 0.3 * hard + 0.7 * F.mse_loss(plain, torch.tensor(b["teacher"]))
        if task in ("answer", "answer-teacher"):
            start, end = model.spans(x)
            hard = sum(F.cross_entropy(v[i:i + 1, :len(row)], torch.tensor([b["spans"][i][k]]))
                       for i, row in enumerate(b["ids"]) for k, v in ((0, start), (1, end))) / (2 * len(b["ids"]))
            if task == "answer":
                return hard
            soft = sum(F.kl_div(F.log_softmax(v[i, :len(row)] / 2, 0), F.softmax(torch.tensor(b["teacher"][i])[:, k] / 2, 0),
                                reduction="sum") * 4
                       for i, row in enumerate(b["ids"]) for k, v in ((0, start), (1, end))) / (2 * len(b["ids"]))
            return 0.3 * hard + 0.7 * soft
        labels = pad(b["labels"], -100).flatten()
        if task == "teacher":
            known, x = labels >= 0, model.tag(x).flatten(0, 1)
            wanted = torch.tensor([row for text in b["teacher"] for row in text])
            shown = torch.cat([x[i * mask.shape[1]:][:len(row)] for i, row in enumerate(b["ids"])])
            soft = F.kl_div(F.log_softmax(shown / 2, 1), F.softmax(wanted / 2, 1), reduction="none").sum(1) * 4
            kept = torch.cat([known[i * mask.shape[1]:][:len(row)] for i, row in enumerate(b["ids"])])
            return 0.3 * F.cross_entropy(x, labels) + 0.7 * soft[kept].mean()
        if task == "tag":
            return F.cross_entropy(model.tag(x).flatten(0, 1), labels)
        words = F.cross_entropy(model.predict(x.flatten(0, 1)[labels >= 0]), labels[labels >= 0])
        if task == "mlm":
            return words
        return words + F.cross_entropy(model.linear("cls.seq_relationship", model.pooled(x)), torch.tensor(b["next"]))

    return loss


# --- A new head, as frontend/hub/encoder/fresh.c draws it

def draw(name, count, deviation, cutoff, seed):
    h = 0xcbf29ce484222325
    for c in name.encode():
        h = ((h ^ c) * 0x100000001b3) & WRAP
    state = (seed * 0x2545f4914f6cdd1d + h) & WRAP

    def one():
        nonlocal state
        total = -8 * 65535 // 2
        for _ in range(2):
            state = (state + 0x9e3779b97f4a7c15) & WRAP
            z = state
            z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & WRAP
            z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & WRAP
            z ^= z >> 31
            total += sum((z >> (16 * i)) & 0xffff for i in range(4))
        return np.float32(total) * np.float32(1.868849e-5)

    out = []
    while len(out) < count:
        x = one()
        if cutoff is None or abs(float(x)) <= cutoff:
            out.append(np.float32(deviation * float(x)))
    return torch.tensor(np.array(out))


def new_head(model, task, labels, seed=1):
    """The tensors that the folder lacks."""
    c, width = model.config, model.config.get("hidden_size", model.config.get("dim"))
    modern = model.kind == "modernbert"
    shapes = {}
    if task in ("classify", "several", "regress", "weights", "tag", "teacher"):
        dense = task not in ("tag", "teacher") or modern
        if model.kind in ("roberta", "mpnet", "electra", "xlm-roberta") and dense:
            shapes = {"classifier.dense": (width, width), "classifier.out_proj": (labels, width)}
        else:
            if model.kind == "distilbert" and dense:
                shapes["pre_classifier"] = (width, width)
            if modern:
                shapes["head.dense"] = (width, width)
            if model.kind in ("bert", "albert") and dense:
                shapes["pooler.dense"] = (width, width)
            shapes["classifier"] = (labels, width)
    if task in ("answer", "answer-teacher"):
        shapes["classifier" if modern else "qa_outputs"] = (2, width)
    for name, shape in shapes.items():
        full = model.prefix + name if name.startswith("pooler") else name
        if full + ".weight" in model.p:
            continue
        deviation = c.get("initializer_range", 0.02)
        if modern:
            deviation = deviation / math.sqrt(2 * model.layers) if name == "head.dense" else 1 / math.sqrt(width)
        x = draw(name + ".weight", shape[0] * shape[1], deviation, c.get("initializer_cutoff_factor", 2.0) if modern else None,
                 seed)
        model.p[full + ".weight"] = x.reshape(shape).requires_grad_()
        if not modern or name != "head.dense":
            model.p[full + ".bias"] = torch.zeros(shape[0]).requires_grad_()
    if modern and "head.dense" in shapes and "head.norm.weight" not in model.p:
        model.p["head.norm.weight"] = torch.ones(width).requires_grad_()


# --- Adapters, as frontend/hub/encoder/lora.c draws them and PEFT names them

def uniform(name, rows, columns, seed):
    h = 0xcbf29ce484222325
    for c in name.encode():
        h = ((h ^ c) * 0x100000001b3) & WRAP
    state = (seed * 0x2545f4914f6cdd1d + h) & WRAP
    out = []
    for _ in range(rows * columns):
        state = (state + 0x9e3779b97f4a7c15) & WRAP
        z = state
        z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & WRAP
        z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & WRAP
        z ^= z >> 31
        out.append(np.float32((2 * ((z >> 11) * 2.0 ** -53) - 1) / math.sqrt(columns)))
    return torch.tensor(np.array(out)).reshape(rows, columns)


def adapt(model, there, targets, rank, alpha, seed=1):
    """Freezes what the folder had but its classifier, and adds adapters. `there`: the folder's own tensors."""
    whole = lambda name: name not in there or name.split(".")[0].endswith(("classifier", "qa_outputs"))
    names = [n[:-7] for n in model.p if n.endswith(".weight") and not whole(n) and "embeddings" not in n and "decoder" not in n]
    for name, p in model.p.items():
        p.requires_grad_(whole(name))
    for name in names:
        if not any(name.split(".")[-1] == end for end in targets):
            continue
        rows, columns = model.p[name + ".weight"].shape
        head = name.startswith(("cls.", "lm_head.", "head."))
        own = name if head else model.family["prefix"] + name[len(model.prefix):]
        a, b = (f"base_model.model.{own}.lora_{x}.weight" for x in "AB")
        model.p[a] = uniform(a, rank, columns, seed).requires_grad_()
        model.p[b] = torch.zeros(rows, rank).requires_grad_()
        model.lora[name] = (a, b, alpha / rank)


class InFloats:
    """torch.nn.functional, of which losses and norms are float32, whatever their operands are: under autocast, too."""

    def __getattr__(self, name):
        if name in ("linear", "embedding", "gelu", "relu", "silu"):
            return getattr(functional, name)

        def of_floats(*args, **options):
            with torch.cpu.amp.autocast(enabled=False):
                floats = (x.float() if torch.is_tensor(x) and x.dtype == torch.bfloat16 else x for x in args)
                return getattr(functional, name)(*floats, **options)
        return of_floats


F = families.F = InFloats()


def prepared(name):
    """The model with its new head, the task, and the batches."""
    folder, task, labels = CASES[name]
    folder = os.path.join(HERE, "..", "cases", folder)
    model = families.Model(folder)
    if os.path.exists(os.path.join(folder, "io.safetensors")):
        families.check(folder)
    there = set(model.p)
    new_head(model, task, labels)
    if name in LORA:
        adapt(model, there, *LORA[name])
    if not labels and task in ("classify", "tag"):
        labels = model.p["classifier.weight"].shape[0]
    r = Numbers(list(CASES).index(name) + 1)
    return model, task, [batch(r, task, model.config["vocab_size"], labels, model.config.get("hidden_size")) for _ in range(STEPS)]


def in_bf16(loss):
    """The forward pass under PyTorch's autocast, whose gradients are in bfloat16, too."""
    def autocast(model, b):
        with torch.cpu.amp.autocast(dtype=torch.bfloat16):
            return loss(model, b)
    return autocast


def apart(lines, others):
    """How far two curves are apart, as test_curves.c has it."""
    return max(abs(x["loss"] - y["loss"]) / max(0.1, abs(y["loss"])) for x, y in zip(lines, others))


def spread(name, lines, runs=8):
    """How far PyTorch's own curves under autocast are from the one in float32: the farthest of several, whose first weights
    differ by 2^-12, an eighth of a step of bfloat16, so that other numbers are rounded up and down."""
    worst = 0
    for i in range(runs):
        torch.manual_seed(i)
        model, task, batches = prepared(name)
        with torch.no_grad():
            for p in model.p.values():
                p *= 1 + (torch.rand_like(p) * 2 - 1) * (2 ** -12 if i else 0)
        worst = max(worst, apart(curves.train(model, in_bf16(loss_of(task)), batches, rate=1e-3), lines))
    return worst


def run(name):
    model, task, batches = prepared(name)
    lines = curves.train(model, loss_of(task), batches, rate=1e-3)
    out = {name + ".loss": torch.tensor([x["loss"] for x in lines]),
           name + ".norm": torch.tensor([x["grad_norm"] for x in lines])}
    for key in after(model, task):
        out[f"{name}.after.{key}"] = model.p[key].detach().flatten()[:64]
    print(name, lines[0], lines[-1]["loss"])
    return out, {name: torch.tensor([spread(name, lines)])}


def after(model, task):
    """Tensors whose first numbers are kept: the first of the embeddings, a bias, and the last two. Not those whose gradient
    is 0 but for rounding: a key's bias, and a bias of spans, which softmax over the tokens takes no notice of."""
    names = [k for k, p in model.p.items() if p.grad is not None and not k.endswith("key.bias") and
             not (task.startswith("answer") and k in ("qa_outputs.bias", "classifier.bias"))]
    return [names[0], next((n for n in names if n.endswith("bias")), names[1]), names[-2], names[-1]]


if __name__ == "__main__":
    torch.set_num_threads(1)
    paths = [os.path.join(HERE, name) for name in ("curves.safetensors", "spreads.safetensors")]
    kept = [families.read(path) if os.path.exists(path) else {} for path in paths]
    for case in sys.argv[1:] or CASES:
        kept[0] = {k: v for k, v in kept[0].items() if not k.startswith(case + ".")}
        for all_cases, one in zip(kept, run(case)):
            all_cases.update(one)
    for path, tensors in zip(paths, kept):
        families.write(path, tensors)

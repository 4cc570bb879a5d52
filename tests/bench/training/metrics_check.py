#!/usr/bin/env python3
"""Compares figures of bertc evaluate --json with scikit-learn's, SciPy's and sentence-transformers' evaluators.

    metrics_check.py CASES.jsonl

A line of CASES: {"name", "kind", "data", "figures"} with, of kinds label, labels and number, "answers": what bertc run --json wrote for the
same lines; of ranks, sparse and rerank, "folder": a model of sentence-transformers that ranks them itself. The exit status is 1 where a
figure is not the same."""
import json
import sys

import numpy as np
from scipy import stats
from sklearn import metrics


def lines_of(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def means(gold, found, **how):
    out = {}
    for average in ("micro", "macro", "weighted"):
        p, r, f, _ = metrics.precision_recall_fscore_support(gold, found, average=average, zero_division=0, **how)
        out.update({f"precision_{average}": p, f"recall_{average}": r, f"f1_{average}": f})
    return out


def label(data, answers, _):
    gold, found = [x["label"] for x in data], [x["label"] for x in answers]
    out = {"accuracy": metrics.accuracy_score(gold, found), "matthews": metrics.matthews_corrcoef(gold, found)}
    return {**out, **means(gold, found)}


def labels(data, answers, _):
    names = sorted({s["label"] for s in answers[0]["scores"]})
    gold = np.array([[n in x["labels"] for n in names] for x in data], int)
    found = np.array([[{s["label"]: s["score"] for s in x["scores"]}[n] > 0.5 for n in names] for x in answers], int)
    out = {"subset_accuracy": metrics.accuracy_score(gold, found), "hamming_loss": metrics.hamming_loss(gold, found)}
    return {**out, **means(gold, found)}


def number(data, answers, _):
    gold, found = np.array([x["score"] for x in data]), np.array([x["score"] for x in answers])
    mse = metrics.mean_squared_error(gold, found)
    return {"mse": mse, "rmse": mse ** 0.5, "mae": metrics.mean_absolute_error(gold, found), "r2": metrics.r2_score(gold, found),
            "pearson": stats.pearsonr(gold, found)[0], "spearman": stats.spearmanr(gold, found)[0]}


def corpus(data):
    """Queries, documents and which are relevant, by numbers as text."""
    documents = {}
    for x in data:
        for d in x["positive"] + x["negative"]:
            documents.setdefault(d, str(len(documents)))
    relevant = {}
    for x in data:
        relevant.setdefault(x["query"], set()).update(documents[d] for d in x["positive"])
    queries = {str(i): q for i, q in enumerate(relevant)}
    return queries, {n: d for d, n in documents.items()}, {i: relevant[q] for i, q in queries.items()}


def retrieval(evaluator, model, data):
    cuts, (queries, documents, relevant) = [1, 5, 10], corpus(data)
    whole = len(documents)
    said = evaluator(queries, documents, relevant, mrr_at_k=[whole], ndcg_at_k=cuts, accuracy_at_k=cuts, precision_recall_at_k=cuts,
                     map_at_k=[whole], write_csv=False)(model)
    one = {k.split("_", 1)[1]: v for k, v in said.items() if k.startswith(("cosine_", "dot_"))}
    return {"mrr": one[f"mrr@{whole}"], "map": one[f"map@{whole}"], **{f"{m}@{k}": one[f"{m}@{k}"] for m in ("ndcg", "recall") for k in cuts}}


def ranks(data, _, folder):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.evaluation import InformationRetrievalEvaluator
    return retrieval(InformationRetrievalEvaluator, SentenceTransformer(folder, device="cpu"), data)


def sparse(data, _, folder):
    from sentence_transformers import SparseEncoder
    from sentence_transformers.sparse_encoder.evaluation import SparseInformationRetrievalEvaluator
    return retrieval(SparseInformationRetrievalEvaluator, SparseEncoder(folder, device="cpu"), data)


def rerank(data, _, folder):
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder.evaluation import CrossEncoderRerankingEvaluator
    evaluator = CrossEncoderRerankingEvaluator(data, at_k=10, always_rerank_positives=True, write_csv=False)
    said = evaluator(CrossEncoder(folder, device="cpu"))
    return {"map": said["map"], "mrr": said["mrr@10"], "ndcg@10": said["ndcg@10"]}


def main():
    failed = False
    kinds = {"label": label, "labels": labels, "number": number, "ranks": ranks, "sparse": sparse, "rerank": rerank}
    for case in lines_of(sys.argv[1]):
        with open(case["figures"], encoding="utf-8") as f:
            got = json.load(f)["metrics"]
        want = kinds[case["kind"]](lines_of(case["data"]), lines_of(case["answers"]) if "answers" in case else None, case.get("folder"))
        worst = max((abs(got[name] - value), name) for name, value in want.items())
        failed |= not worst[0] < 1e-5
        print(f"{case['name']:24} {len(want)} figures, largest difference {worst[0]:.2e} ({worst[1]})", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())

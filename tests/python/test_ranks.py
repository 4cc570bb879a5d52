"""How `evaluate` ranks documents: its figures against plain numpy, from what the models answer for each text."""

import json
import os
import random
import unittest

import numpy as np
from shared import ANSWERS, SOURCE, WORK, model

import bertc

WORDS = "the a cat mat sat house old sea deep river tree stone wall city water green".split()
CUTS = (1, 3, 10)


def _texts():
    draw = random.Random(7)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, 6))) for _ in range(60)]


def _file(name, lines):
    path = os.path.join(WORK, name)
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(json.dumps(line) + "\n" for line in lines)
    return path


def _lines():
    """Queries with documents of their own and of others; one query stands in two lines."""
    texts, draw = _texts(), random.Random(3)
    lines = [{"query": f"{texts[i]} ?", "positive": draw.sample(texts, draw.randint(1, 3)), "negative": draw.sample(texts, draw.randint(0, 4)),
              "kind": "ab"[i % 2]} for i in range(12)]
    return lines + [{"query": lines[0]["query"], "positive": [texts[5]], "negative": [], "kind": "a"}]


def _figures(ranks):
    """ranks: of each query those of its positives, ascending from 1."""
    out = {"mrr": np.mean([1 / r[0] for r in ranks]), "map": np.mean([np.mean((np.arange(len(r)) + 1) / r) for r in ranks])}
    for k in CUTS:
        ideal = [sum(1 / np.log2(i + 2) for i in range(min(k, len(r)))) for r in ranks]
        out[f"ndcg@{k}"] = np.mean([np.sum(1 / np.log2(r[r <= k] + 1)) / best for r, best in zip(ranks, ideal)])
        out[f"recall@{k}"] = np.mean([np.mean(r <= k) for r in ranks])
    return out


def _own(lines):
    """{query: (positives, negatives)} and all documents, each once, in their order."""
    queries, documents = {}, {}
    for line in lines:
        positives, negatives = queries.setdefault(line["query"], ({}, {}))
        positives.update(dict.fromkeys(line["positive"]))
        negatives.update(dict.fromkeys(line["negative"]))
        documents.update(dict.fromkeys(line["positive"] + line["negative"]))
    return queries, list(documents)


class Ranks(unittest.TestCase):
    def hold(self, folder, lines, ranks, **options):
        got = bertc.evaluate(folder, _file("ranked.jsonl", lines), cut=",".join(map(str, CUTS)), mcpu="native", optimise=0, **options)
        self.assertEqual(got["examples"], len(ranks))
        want = _figures(ranks)
        self.assertEqual(sorted(got["metrics"]), sorted(want))
        for name, value in want.items():
            self.assertAlmostEqual(got["metrics"][name], value, places=9, msg=name)
        self.assertLess(want["mrr"], 1)
        return got

    def whole_corpus(self, folder, scores, **options):
        """scores(queries, documents): a matrix."""
        lines = _lines()
        queries, documents = _own(lines)
        matrix = scores(list(queries), documents)
        ranks = []
        for row, (positives, _) in zip(matrix, queries.values()):
            order = np.lexsort((np.arange(len(documents)), -row))
            place = np.empty(len(documents), int)
            place[order] = np.arange(len(documents)) + 1
            ranks.append(np.sort([place[documents.index(p)] for p in positives]))
        return self.hold(folder, lines, ranks, **options)

    def test_dense(self):
        folder = os.path.join(ANSWERS, "st-static")
        one = model(folder, seq=32)

        def scores(queries, documents):
            q, d = one.encode_query(queries).astype(float), one.encode_document(documents).astype(float)
            return q @ d.T / np.linalg.norm(q, axis=1)[:, None] / np.linalg.norm(d, axis=1)

        got = self.whole_corpus(folder, scores)
        self.assertEqual(got["task"], "embed")

    def test_sparse(self):
        for name in ("max", "sum", "router"):
            folder = os.path.join(SOURCE, "tests/models/sparse", name)
            one = model(folder, seq=32)

            def scores(queries, documents):
                q, d = ([{t["id"]: t["weight"] for t in v} for v in one.sparse(texts, role=role)]
                        for texts, role in ((queries, "query"), (documents, "document")))
                return np.array([[sum(w * y.get(t, 0) for t, w in sorted(x.items())) for y in d] for x in q])

            with self.subTest(name):
                self.whole_corpus(folder, scores)

    def test_vectors(self):
        for name in ("st-colbert", "st-expanded", "pylate", "stanford"):
            folder = os.path.join(SOURCE, "tests/models/vectors", name)
            one = model(folder, seq=32)

            def scores(queries, documents):
                q, d = one.encode_query(queries), one.encode_document(documents)
                return np.array([[(x.astype(float) @ y.T.astype(float)).max(1).sum() for y in d] for x in q])

            with self.subTest(name):
                self.whole_corpus(folder, scores)

    def test_several(self):
        """A model that gives three kinds of answers ranks by its embedding, or by what --outputs leaves."""
        folder = os.path.join(SOURCE, "tests/models/vectors/bge-m3")
        one = model(folder, seq=32)

        def scores(queries, documents):
            q, d = one.encode(queries).astype(float), one.encode(documents).astype(float)
            return q @ d.T

        dense = self.whole_corpus(folder, scores)["metrics"]
        for only in ("sparse", "colbert"):
            self.assertNotEqual(bertc.evaluate(folder, os.path.join(WORK, "ranked.jsonl"), outputs=only)["metrics"]["mrr"], dense["mrr"])

    def test_rerank(self):
        """A cross-encoder ranks each query's own documents; equal ones count against it."""
        folder = os.path.join(ANSWERS, "cross")
        one, lines = model(folder, seq=32), _lines()
        ranks = []
        for query, (positives, negatives) in _own(lines)[0].items():
            documents = list(positives) + [n for n in negatives if n not in positives]
            scores = np.empty(len(documents))
            for r in one.rerank(query, documents):
                scores[r["corpus_id"]] = r["score"]
            ranks.append(np.sort([1 + np.sum(scores > scores[i]) for i in range(len(positives))]))
        got = self.hold(folder, lines, ranks, group_by="kind")
        self.assertEqual(got["task"], "rerank")
        self.assertEqual([g["group"] for g in got["groups"]], ["a", "b"])

        same = _file("same.jsonl", [{"query": "cat", "positive": ["the  sea"], "negative": ["the sea", "the   sea"]}])
        self.assertAlmostEqual(bertc.evaluate(folder, same)["metrics"]["mrr"], 1 / 3)

    def test_scored(self):
        """Pairs with scores, of sparse weights and of vectors."""
        texts, draw = _texts(), random.Random(5)
        pairs = [(*draw.sample(texts, 2), draw.random()) for _ in range(20)]
        path = _file("pairs.jsonl", [{"sentence1": a, "sentence2": b, "score": s} for a, b, s in pairs])
        folder = os.path.join(SOURCE, "tests/models/sparse/max")
        one = model(folder, seq=32)
        x, y = ([{t["id"]: t["weight"] for t in v} for v in one.sparse([p[k] for p in pairs])] for k in (0, 1))
        dots = [sum(w * b.get(t, 0) for t, w in a.items()) for a, b in zip(x, y)]
        got = bertc.evaluate(folder, path, mcpu="native", optimise=0)
        self.assertEqual((got["task"], got["examples"]), ("embed", 20))
        self.assertAlmostEqual(got["metrics"]["pearson"], np.corrcoef(dots, [p[2] for p in pairs])[0, 1], places=9)
        folder = os.path.join(SOURCE, "tests/models/vectors/st-colbert")
        one = model(folder, seq=32)
        x, y = (one.encode([p[k] for p in pairs]) for k in (0, 1))
        sums = [(a.astype(float) @ b.T.astype(float)).max(1).sum() for a, b in zip(x, y)]
        got = bertc.evaluate(folder, path, mcpu="native", optimise=0)
        self.assertAlmostEqual(got["metrics"]["pearson"], np.corrcoef(sums, [p[2] for p in pairs])[0, 1], places=6)

    def test_mixed(self):
        """What does not go together is named by its line."""
        cross = os.path.join(ANSWERS, "cross")
        for lines, says in ((["ranked", "number"], ":2: has a score or a label, which"), (["number", "ranked"], ":2: has documents to rank")):
            path = _file("mixed.jsonl", [{"query": "a", "positive": ["b"]} if one == "ranked" else {"text": "a", "pair": "b", "label": 0.5}
                                         for one in lines])
            with self.assertRaisesRegex(bertc.CommandError, says):
                bertc.evaluate(cross, path)
        with open(os.path.join(WORK, "ranked.csv"), "w", encoding="utf-8") as f:
            f.write("query,positive,negative\nthe cat,a cat on a mat,old house\n")
        self.assertEqual(bertc.evaluate(cross, os.path.join(WORK, "ranked.csv"))["task"], "rerank")


if __name__ == "__main__":
    unittest.main()

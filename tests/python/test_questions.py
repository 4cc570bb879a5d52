"""How `evaluate` judges questions without an answer: against the rules of SQuAD 2.0's script, written again here in plain Python."""

import collections
import json
import os
import random
import re
import string
import unittest

from shared import SENTIMENT, WORK

import bertc
from bertc import binding

CONTEXTS = ["The old house stands by the river . A cat sat on the green mat .", "A tree grew in the city near a stone wall .",
            "The sea is deep and the water is green ."]


def _data():
    draw, lines = random.Random(11), []
    for i in range(60):
        context = draw.choice(CONTEXTS)
        words = context.split()
        start = draw.choice([k for k in range(len(words) - 2) if _words(words[k])])
        text = " ".join(words[start:start + draw.randint(1, 3)])
        answers = {"text": [text], "answer_start": [context.index(text)]} if i % 3 else {"text": [], "answer_start": []}
        lines.append({"question": " ".join(draw.choices(words, k=4)) + " ?", "context": context, "answers": answers, "part": i % 2})
    return lines


def _words(text):
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def _scores(gold, found):
    """Exact match and F1 of one answer."""
    a, b = _words(gold), _words(found)
    common = sum((collections.Counter(a) & collections.Counter(b)).values())
    f1 = float(a == b) if not a or not b else 2 * common / (len(a) + len(b))
    return float(a == b), f1


def _best(spans, scores, leads, has_answer):
    """find_best_thresh of evaluate-v2.0.py."""
    current = best = sum(not h for h in has_answer)
    threshold = 0.0
    for i in sorted(range(len(leads)), key=lambda i: leads[i]):
        current += scores[i] if has_answer[i] else -1 if spans[i] else 0
        if current > best:
            best, threshold = current, leads[i]
    return best / len(leads), threshold


class Questions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lines = _data()
        cls.path = os.path.join(WORK, "questions.jsonl")
        with open(cls.path, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(line) + "\n" for line in cls.lines)
        cls.folder = os.path.join(WORK, "questions")
        bertc.train(SENTIMENT, cls.folder, task="answer", train=cls.path, num_train_epochs=3, learning_rate=1e-4, dropout=0)
        cls.artefact = bertc.compile(cls.folder, mcpu="native", seq=64, optimise=0)
        options = binding.TextOptions(truncation=1, max_answer_tokens=30, answer_as_tokens=True)
        with bertc.Model(cls.artefact, threads=1) as model:
            found = model._answers([(line["question"], line["context"]) for line in cls.lines], options, lambda r, t: (
                r.answer.char_start, r.answer.char_end, r.answer.logit_score, r.no_answer.logit_score, r.no_answer.found))
        cls.spans = [line["context"][f[0]:f[1]] for line, f in zip(cls.lines, found)]
        cls.leads = [f[3] - f[2] for f in found]
        cls.golds = [line["answers"]["text"] or [""] for line in cls.lines]
        cls.has = [bool(line["answers"]["text"]) for line in cls.lines]
        assert not any(f[4] for f in found)

    def expected(self, threshold):
        """{metric: value} where none is answered above the threshold; None: never."""
        said = ["" if threshold is not None and lead > threshold else s for s, lead in zip(self.spans, self.leads)]
        pairs = [[_scores(g, s) for g in golds] for golds, s in zip(self.golds, said)]
        exact, f1 = ([max(p[k] for p in one) for one in pairs] for k in (0, 1))
        raw = [[_scores(g, s) for g in golds] for golds, s in zip(self.golds, self.spans)]
        raw_exact, raw_f1 = ([max(p[k] for p in one) for one in raw] for k in (0, 1))
        n, with_answer = len(exact), sum(self.has)

        def mean(values, has):
            return sum(v for v, h in zip(values, self.has) if h == has) / (with_answer if has else n - with_answer)

        out = {"exact_match": sum(exact) / n, "f1": sum(f1) / n, "has_answer_exact_match": mean(exact, True),
               "has_answer_f1": mean(f1, True), "no_answer_accuracy": mean(exact, False)}
        out["best_exact"], out["best_exact_thresh"] = _best(self.spans, raw_exact, self.leads, self.has)
        out["best_f1"], out["best_f1_thresh"] = _best(self.spans, raw_f1, self.leads, self.has)
        return out

    def hold(self, got, want):
        self.assertEqual(sorted(got), sorted(want))
        for name, value in want.items():
            self.assertAlmostEqual(got[name], value, places=5 if name.endswith("thresh") else 9, msg=name)

    def test_thresholds(self):
        self.hold(bertc.evaluate(self.artefact, self.path)["metrics"], self.expected(None))
        self.hold(bertc.evaluate(self.artefact, self.path, no_answer=True)["metrics"], self.expected(0))
        best = self.expected(0)
        self.assertGreater(best["best_exact"], best["exact_match"])
        for threshold in (-1.5, 0.75, best["best_f1_thresh"]):
            got = bertc.evaluate(self.artefact, self.path, null_score_diff_threshold=threshold)
            self.hold(got["metrics"], self.expected(threshold))
            self.assertEqual([q["support"] for q in got["questions"].values()], [40, 20])
            self.assertAlmostEqual(got["questions"]["no_answer"]["f1"], got["metrics"]["no_answer_accuracy"])

    def test_best_is_reached(self):
        """The threshold that is said to be best gives that figure."""
        said = bertc.evaluate(self.artefact, self.path)["metrics"]
        got = bertc.evaluate(self.artefact, self.path, null_score_diff_threshold=said["best_f1_thresh"] + 1e-6)["metrics"]
        self.assertAlmostEqual(got["f1"], said["best_f1"], places=9)

    def test_groups(self):
        got = bertc.evaluate(self.artefact, self.path, group_by="part")
        self.assertEqual(len(got["groups"]), 2)
        for group in got["groups"]:
            self.assertGreaterEqual(group["metrics"]["best_exact"], group["metrics"]["exact_match"])

    def test_answerable_alone(self):
        """Where every question has an answer the figures are those of SQuAD 1.1, without thresholds."""
        path = os.path.join(WORK, "answerable.jsonl")
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(line) + "\n" for line in self.lines if line["answers"]["text"])
        got = bertc.evaluate(self.artefact, path)
        self.assertEqual(sorted(got["metrics"]), ["exact_match", "f1"])
        self.assertNotIn("questions", got)


if __name__ == "__main__":
    unittest.main()

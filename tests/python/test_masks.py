"""Masked language models on examples that choose their masks, and what a perplexity is made of."""

import json
import math
import os
import unittest

from shared import SENTIMENT, WORK

import bertc

TEXTS = ["the cat sat on the green mat .", "a river runs to the deep sea .", "old houses stand in the city .", "a tree grew near a wall ."]
CLOZES = [("the [MASK] is deep .", ["sea"]), ("a [MASK] runs to the [MASK] .", ["river", "sea"]), ("The house is [MASK] .", ["Old"])]


def _write(name, lines):
    path = os.path.join(WORK, name)
    with open(path, "w", encoding="utf-8") as f:
        f.writelines((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    return path


class Masks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.texts = _write("texts.txt", TEXTS)
        cls.folder = os.path.join(WORK, "mlm")
        bertc.train(SENTIMENT, cls.folder, task="mlm", train=cls.texts, max_steps=4, learning_rate=1e-3, dropout=0)
        cls.artefact = bertc.compile(cls.folder, mcpu="native", seq=32, optimise=0)
        cls.model = bertc.Model(cls.artefact, threads=1)
        cls.mask = cls.model.tokenize("[MASK]")[1]["id"]
        # The same as token ids, filled up to one length.
        cls.ids = []
        for text, words in CLOZES:
            ids = [t["id"] for t in cls.model.tokenize(text)]
            left = [cls.model.tokenize(w)[1]["id"] for w in words]
            labels = [left.pop(0) if i == cls.mask else -100 for i in ids]
            more = 16 - len(ids)
            cls.ids.append({"input_ids": ids + [0] * more, "token_type_ids": [0] * 16, "attention_mask": [1] * len(ids) + [0] * more,
                            "labels": labels + [-100] * more})

    @classmethod
    def tearDownClass(cls):
        cls.model.close()

    def train(self, name, path, **options):
        return bertc.train(self.folder, os.path.join(WORK, name), task="mlm", train=path, dev=path, dropout=0, no_shuffle=True, **options)

    def test_evaluate(self):
        """The loss is the mean of -log p of the words, as fill_mask has them."""
        losses = []
        for text, words in CLOZES:
            answers = self.model.fill_mask(text, top_k=8192)
            for mask, word in zip([answers] if len(words) == 1 else answers, words):
                losses += [-math.log(one["score"]) for one in mask if one["token_str"] == word.lower()]
        self.assertEqual(len(losses), 4)
        want = sum(losses) / 4
        for path in (_write("cloze.jsonl", [{"text": t, "labels": w} for t, w in CLOZES]), _write("ids.jsonl", self.ids),
                     _write("one.csv", ["text,label"] + [f"{t},{'|'.join(w)}" for t, w in CLOZES]),
                     _write("ids.csv", ["input_ids,attention_mask,labels"] + [",".join(
                         " ".join(map(str, x[k])) for k in ("input_ids", "attention_mask", "labels")) for x in self.ids])):
            got = bertc.evaluate(self.artefact, path)
            self.assertEqual((got["examples"], got["tokens"]), (3, 4), path)
            self.assertAlmostEqual(got["metrics"]["loss"], want, places=4)
            self.assertAlmostEqual(got["metrics"]["perplexity"], math.exp(got["metrics"]["loss"]), places=6)

    def test_train(self):
        """Words and token ids make the same steps, and the first loss is evaluate's."""
        cloze = _write("cloze.jsonl", [{"text": t, "labels": w} for t, w in CLOZES])
        logs = [self.train(name, path, num_train_epochs=3, learning_rate=1e-3, per_device_train_batch_size=2)
                for name, path in (("words", cloze), ("numbers", _write("ids.jsonl", self.ids)))]
        self.assertEqual(logs[0], logs[1])
        self.assertEqual(len([line for line in logs[0] if "loss" in line]), 6)
        whole = self.train("whole", cloze, max_steps=1, learning_rate=0, per_device_train_batch_size=8)
        self.assertAlmostEqual(whole[0]["loss"], bertc.evaluate(self.artefact, cloze)["metrics"]["loss"], places=4)
        self.assertLess(logs[0][-1]["eval_loss"], whole[-1]["eval_loss"] / 1.5)

    def test_labels_of_classes(self):
        """Labels that are no words for masks are another column: the tokens are chosen by chance."""
        plain = self.train("plain", self.texts, max_steps=1)
        for name, label in (("numbered", 1), ("named", "positive")):
            path = _write(f"{name}.jsonl", [{"text": t, "label": label} for t in TEXTS])
            self.assertEqual(self.train(f"of-{name}", path, max_steps=1), plain)

    def test_perplexity(self):
        """It is e to the cross entropy of the labels, whatever else is in the loss."""
        how = {"max_steps": 1, "learning_rate": 0}
        plain = self.train("alone", self.texts, **how)[-1]
        self.assertAlmostEqual(plain["eval_perplexity"], math.exp(plain["eval_loss"]), places=5)
        for name, more in (("smoothed", {"label_smoothing": 0.2}), ("taught", {"teacher": self.folder, "alpha": 0.7})):
            got = self.train(name, self.texts, **how, **more)[-1]
            self.assertNotAlmostEqual(got["eval_loss"], plain["eval_loss"], places=2)
            self.assertAlmostEqual(got["eval_perplexity"] / plain["eval_perplexity"], 1, places=5)

    def test_wrong(self):
        ids = self.ids[0]
        cases = [({"text": "the [MASK] is deep .", "labels": ["photosynthesizing"]}, "'photosynthesizing', which is not one token"),
                 ({"text": "the [MASK] [MASK] .", "labels": ["sea"]}, "2 mask tokens and 1 label: a word for each"),
                 ({**ids, "labels": [-100]}, "16 input_ids, and 1 labels"), ({**ids, "labels": None}, "null"),
                 ({**ids, "input_ids": ["x"] * 16}, r"input_ids\[0\]: is no whole number"),
                 ({**ids, "input_ids": [8192] * 16}, "8192"), ({**ids, "labels": [-1] * 16}, "is -1: a token, or -100"),
                 ({**ids, "labels": [9999] * 16}, "8192 tokens"), ({**ids, "labels": 3}, "no list"),
                 ({**ids, "attention_mask": [0, 1] * 8}, "padding stands at the end"), ({**ids, "attention_mask": [0] * 16}, "no token"),
                 ({**ids, "input_ids": [1.5] * 16}, "is no whole number")]
        for k, (line, says) in enumerate(cases):
            path = _write("wrong.jsonl", [line])
            with self.assertRaisesRegex(bertc.CommandError, says):
                self.train(f"wrong-{k}", path)
            with self.assertRaisesRegex(bertc.CommandError, says.replace("8192 tokens", "8192")):
                bertc.evaluate(self.artefact, path)
        with self.assertRaisesRegex(bertc.CommandError, "nothing would be learnt"):
            self.train("nothing", _write("nothing.jsonl", [{"input_ids": [2, 3], "labels": [-100, -100]}]))
        with self.assertRaisesRegex(bertc.CommandError, "max-seq-length"):
            self.train("long", _write("ids.jsonl", self.ids), max_seq_length=5)
        with self.assertRaisesRegex(bertc.CommandError, "pretrain joins lines that are texts"):
            bertc.train(self.folder, os.path.join(WORK, "joined"), task="pretrain", train=_write("ids.jsonl", self.ids))


if __name__ == "__main__":
    unittest.main()

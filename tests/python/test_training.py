"""compile, train and evaluate by the command, and the trainer of an application."""

import os
import unittest

import numpy as np
from shared import SENTIMENT, SOURCE, WORK

import bertc

REVIEWS = os.path.join(SOURCE, "examples/reviews.jsonl")


class Command(unittest.TestCase):
    def test_errors(self):
        with self.assertRaises(bertc.CommandError) as caught:
            bertc.compile(os.path.join(WORK, "nowhere"))
        self.assertIn("No such file", str(caught.exception))
        self.assertEqual(caught.exception.status, 1)
        with self.assertRaises(bertc.CommandError) as caught:
            bertc.compile(SENTIMENT, os.path.join(WORK, "x.so"), no_such_option=1)
        self.assertEqual(caught.exception.status, 2)

    def test_train(self):
        folder, said = os.path.join(WORK, "mine"), []
        log = bertc.train(SENTIMENT, folder, task="classify", train=REVIEWS, num_train_epochs=1, learning_rate=1e-5,
                          per_device_train_batch_size=4, said=said.append)
        self.assertEqual(log[0]["step"], 1)
        self.assertTrue(said)
        self.assertTrue(os.path.exists(os.path.join(folder, "model.safetensors")))
        metrics = bertc.evaluate(folder, REVIEWS)
        self.assertGreater(metrics["metrics"]["accuracy"], 0.5)


class Trainer(unittest.TestCase):
    def test_learns(self):
        path = bertc.compile(SENTIMENT, os.path.join(WORK, "trains.so"), train="classify", mcpu="native", seq=32, optimise=0)
        with bertc.Trainer(path, threads=2) as t:
            self.assertEqual(t.targets, {"labels": ("S", 1, True)})
            before = t.classify("This movie was great")[0]
            self.assertEqual(before["label"], "positive")
            losses = []
            for step in range(1, 13):
                losses.append(t.gradients(["This movie was great", "It was dull"], {"labels": [0, 0]}))
                self.assertGreater(t.update(step, 2e-4), 0)
            self.assertLess(losses[-1], losses[0] / 4)
            self.assertEqual(t.classify("This movie was great")[0]["label"], "negative")
            weight = t.read("classifier.weight")
            self.assertEqual(weight.shape, t.tensors()["classifier.weight"])
            t.write("classifier.weight", np.zeros_like(weight))
            self.assertAlmostEqual(abs(t.classify("x")[0]["score"] - 0.5), abs(t.classify("y")[0]["score"] - 0.5), places=6)
            t.save(os.path.join(WORK, "after.safetensors"))
            self.assertGreater(os.path.getsize(os.path.join(WORK, "after.safetensors")), 1 << 20)
            for call, error in ((lambda: t.read("none"), KeyError), (lambda: t.write("classifier.weight", [1]), ValueError),
                                (lambda: t.gradients(["a"], {"label": [0]}), bertc.Error),
                                (lambda: t.gradients(["a"], {"labels": [0, 1]}), ValueError)):
                with self.assertRaises(error):
                    call()
        with self.assertRaisesRegex(bertc.Error, "closed"):
            t.update(1, 1)

    def test_no_trainer(self):
        plain = bertc.compile(SENTIMENT, os.path.join(WORK, "plain.so"), mcpu="native", seq=32, optimise=0)
        with self.assertRaisesRegex(bertc.Error, "does not train"):
            bertc.Trainer(plain)


if __name__ == "__main__":
    unittest.main()

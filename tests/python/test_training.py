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
            self.assertGreater(t.gradient_memory().size, weight.size)
            self.assertGreater(np.abs(t.gradient_memory()).max(), 0)
            t.trim()
        with self.assertRaisesRegex(bertc.Error, "closed"):
            t.update(1, 1)

    def test_goes_on(self):
        """A trainer that loads parameters and states makes the next step bit for bit."""
        path, texts, labels = bertc.compile(SENTIMENT, os.path.join(WORK, "on.so"), train="classify", mcpu="native", seq=32,
                                            optimise=0), ["This movie was great", "It was dull"], {"labels": [0, 1]}
        saved, states = os.path.join(WORK, "on.safetensors"), os.path.join(WORK, "states.safetensors")
        with bertc.Trainer(path, threads=1) as t:
            t.gradients(texts, labels)
            t.update(1, 1e-4)
            t.save(saved)
            t.save(states, "optimizer")
            want = t.gradients(texts, labels), t.update(2, 1e-4), t.read("classifier.weight")
        with bertc.Trainer(path, threads=1) as t:
            t.load(saved)
            t.load(states, kind="optimizer")
            got = t.gradients(texts, labels), t.update(2, 1e-4), t.read("classifier.weight")
            self.assertEqual(want[:2], got[:2])
            np.testing.assert_array_equal(want[2], got[2])
            with self.assertRaisesRegex(bertc.Error, "has no tensor 'exp_avg"):
                t.load(saved, "optimizer")
            with self.assertRaisesRegex(ValueError, "'states' is none of parameters, gradients, optimizer"):
                t.load(saved, "states")

    def test_no_trainer(self):
        plain = bertc.compile(SENTIMENT, os.path.join(WORK, "plain.so"), mcpu="native", seq=32, optimise=0)
        with self.assertRaisesRegex(bertc.Error, "does not train"):
            bertc.Trainer(plain)


if __name__ == "__main__":
    unittest.main()

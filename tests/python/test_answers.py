"""Answers of the package against those of Transformers and sentence-transformers, and its own rules."""

import math
import os
import threading
import unittest

import numpy as np
from shared import ANSWERS, SENTIMENT, load, model, shared

import bertc


class Labels(unittest.TestCase):
    def test_pipeline_forms(self):
        m = model(SENTIMENT)
        best = m.classify("This movie was amazing!")
        self.assertEqual([set(best[0]), best[0]["label"]], [{"label", "score"}, "positive"])
        self.assertAlmostEqual(best[0]["score"], 0.9961190223693848, places=5)
        self.assertEqual(m.classify(["This movie was amazing!"]), best)
        both = m.classify("This movie was amazing!", top_k=None)
        self.assertEqual([s["label"] for s in both], ["positive", "negative"])
        self.assertEqual(m.classify(["This movie was amazing!"], top_k=2), [both])
        self.assertEqual(m.classify([]), [])
        logits = m.classify("good", top_k=None, raw_scores=True)
        self.assertAlmostEqual(1 / (1 + math.exp(logits[1]["score"] - logits[0]["score"])), m.classify("good")[0]["score"], places=5)
        self.assertEqual(m.classify(("good", "bad")), m.classify({"text": "good", "text_pair": "bad"}))

    def test_against_pipeline(self):
        m = model(SENTIMENT)
        for case in load(shared("models/mini-sst2/pipeline.reference.json")):
            mine = m.classify(case["text"], top_k=None)
            self.assertEqual([s["label"] for s in mine], [s["label"] for s in case["scores"]])
            np.testing.assert_allclose([s["score"] for s in mine], [s["score"] for s in case["scores"]], atol=1e-5)

    def test_zero_shot(self):
        m = model(os.path.join(ANSWERS, "nli"), seq=64)
        for case in load(os.path.join(ANSWERS, "nli/answers.json")):
            mine = m.zero_shot(case["text"], case["labels"], hypothesis_template=case["template"], multi_label=case["multi"])
            self.assertEqual(mine["sequence"], case["text"])
            self.assertEqual(mine["labels"], case["answer"]["labels"])
            np.testing.assert_allclose(mine["scores"], case["answer"]["scores"], atol=1e-5)

    def test_rerank(self):
        m = model(os.path.join(ANSWERS, "cross"), seq=64)
        for case in load(os.path.join(ANSWERS, "cross/answers.json")):
            mine = m.rerank(case["query"], case["documents"])
            self.assertEqual([r["corpus_id"] for r in mine], [r["corpus_id"] for r in case["rank"]])
            np.testing.assert_allclose([r["score"] for r in mine], [r["score"] for r in case["rank"]], atol=1e-5)
            two = m.rerank(case["query"], case["documents"], top_k=2, return_documents=True)
            self.assertEqual([r["text"] for r in two], [case["documents"][r["corpus_id"]] for r in mine[:2]])
        self.assertEqual(m.rerank("a", []), [])


class Spans(unittest.TestCase):
    def test_entities(self):
        m = model(os.path.join(ANSWERS, "ner"), seq=64)
        for case in load(os.path.join(ANSWERS, "ner/answers.json")):
            mine = m.entities(case["text"], aggregation_strategy=case["strategy"])
            place = [(e.get("entity", e.get("entity_group")), e["start"], e["end"]) for e in case["entities"]]
            self.assertEqual([(e.get("entity", e.get("entity_group")), e["start"], e["end"]) for e in mine], place)
            np.testing.assert_allclose([e["score"] for e in mine], [e["score"] for e in case["entities"]], atol=1e-5)

    def test_answers(self):
        m = model(shared("models/small-qa"), seq=384)
        for case in load(shared("models/small-qa/pipeline.reference.json")):
            mine = m.answer(case["question"], case["context"])
            self.assertEqual([mine[k] for k in ("answer", "start", "end")], [case[k] for k in ("answer", "start", "end")])
        context = "The Eiffel Tower is in Paris. " * 200
        self.assertIn(m.answer("Where is the Eiffel Tower?", context)["answer"], ("Paris", "in Paris", "Paris."))
        three = m.answer("Where is it?", "It is in Paris, not in Rome.", top_k=3)
        self.assertEqual([len(three), three[0]], [3, m.answer("Where is it?", "It is in Paris, not in Rome.")])
        both = m.answer(["Where is it?", "What is red?"], ["It is in Paris.", "The car is red."])
        self.assertEqual(both[1], m.answer("What is red?", "The car is red."))
        self.assertEqual(len(m.answer(["Where?", "Who?"], "Anna is in Rome.")), 2)
        with self.assertRaises(ValueError):
            m.answer(["a", "b"], ["c", "d", "e"])

    def test_masks(self):
        m = model(shared("models/mini-pretrained"))
        words = m.fill_mask("Paris is the [MASK] of France.", top_k=3)
        self.assertEqual([len(words), set(words[0])], [3, {"score", "token", "token_str", "sequence"}])
        self.assertEqual(words[1]["sequence"], f"Paris is the {words[1]['token_str']} of France.")
        self.assertEqual([len(w) for w in m.fill_mask("[MASK] is the [MASK].", top_k=2)], [2, 2])
        with self.assertRaisesRegex(bertc.Error, "mask"):
            m.fill_mask("no such token")


class Embeddings(unittest.TestCase):
    def test_against_sentence_transformers(self):
        m = model(shared("models/small-sts"))
        case = load(shared("models/small-sts/sentence_transformers.reference.json"))
        rows = m.encode(case["texts"])
        np.testing.assert_allclose(rows, np.array(case["embeddings"], np.float32), atol=2e-5)
        self.assertEqual([rows.dtype, rows.shape], [np.float32, (len(case["texts"]), m.info.embedding_size)])

    def test_forms(self):
        m = model(SENTIMENT, head="embedding")
        one = m.encode("A good film.")
        self.assertEqual(one.shape, (256,))
        np.testing.assert_array_equal(m.encode(["A good film.", "Bad."])[0], one)
        self.assertEqual([m.encode([]).shape, m.encode(["a"] * 1500).shape], [(0, 256), (1500, 256)])
        unit = m.encode("A good film.", normalize_embeddings=True, truncate_dim=7)
        self.assertAlmostEqual(float(np.linalg.norm(unit)), 1, places=5)
        np.testing.assert_allclose(unit, one[:7] / np.linalg.norm(one[:7]), rtol=1e-5)
        self.assertEqual(m.encode("word " * 5000).shape, (256,))
        with self.assertRaisesRegex(bertc.Error, "tokens"):
            m.encode("word " * 5000, long="error")
        np.testing.assert_allclose(m.similarity(one, [one, -one]), [[1, -1]], rtol=1e-5)
        with self.assertRaisesRegex(bertc.Error, "width|dimensions"):
            m.encode("a", truncate_dim=300)

    def test_vectors_and_sparse(self):
        m = model(shared("conformance/answers/st-colbert"), seq=64)
        query, documents = m.encode_query("old river"), m.encode_document(["the cat sat on the mat .", "who is it ?"])
        self.assertEqual([query.ndim, len(documents), m.similarity(query, documents).shape], [2, 2, (1, 2)])
        s = model(shared("conformance/answers/st-splade-max"), seq=64)
        weights = s.sparse(["the cat sat on the mat .", "who is it ?"])
        self.assertEqual([len(weights), set(weights[0][0])], [2, {"id", "token", "weight"}])
        self.assertEqual(s.sparse("who is it ?", top_k=2), weights[1][:2])
        with self.assertRaisesRegex(bertc.Error, "gives no embeddings"):
            s.encode("a")

    def test_threads(self):
        m = model(SENTIMENT, head="embedding")
        texts = [f"a text with number {i} " * (i % 7 + 1) for i in range(60)]
        want, got = m.encode(texts), {}

        def work(k):
            got[k] = np.stack([m.encode(t) for t in texts])

        threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for k in range(4):
            np.testing.assert_array_equal(got[k], want)


class Rules(unittest.TestCase):
    def test_info(self):
        i = model(SENTIMENT).info
        self.assertEqual([i.task, i.labels, i.max_length, i.embedding_size], ["classify", ("negative", "positive"), 128, 0])
        self.assertTrue(i.levels[0])
        self.assertEqual(bertc.version(), bertc.__version__)
        self.assertIn("classify", repr(model(SENTIMENT)))

    def test_tokens(self):
        said = model(SENTIMENT).tokenize("unaffable")
        self.assertEqual([t["token"] for t in said], ["[CLS]", "un", "##aff", "##able", "[SEP]"])
        self.assertEqual([(t["start"], t["end"]) for t in said], [(None, None), (0, 2), (2, 5), (5, 9), (None, None)])

    def test_odd_texts(self):
        m = model(SENTIMENT)
        for text in ("", "\0", "a\0b", "\ud800", "é" * 40, "\U0001f600"):
            self.assertIn(m.classify(text)[0]["label"], ("negative", "positive"))
        self.assertEqual([t["start"] for t in m.tokenize("é good")][-2], 2)
        for bad in (None, 3, b"bytes"):
            with self.assertRaises(TypeError):
                m.classify([bad])
        with self.assertRaises(ValueError):
            m.classify([{"txt": "a"}])
        with self.assertRaises(ValueError):
            m.classify("a", long="cut")

    def test_errors(self):
        with self.assertRaisesRegex(bertc.Error, "nowhere.so: No such file"):
            bertc.Model("nowhere.so")
        with self.assertRaisesRegex(bertc.Error, "bertc.compile"):
            bertc.Model(SENTIMENT)
        with self.assertRaisesRegex(bertc.Error, "gives no entities"):
            model(SENTIMENT).entities("a")
        with self.assertRaisesRegex(bertc.Error, "text 2 of 2"):
            model(SENTIMENT).classify(["a", "word " * 500])
        with bertc.Model(model(SENTIMENT).path) as m:
            m.classify("a")
        with self.assertRaisesRegex(bertc.Error, "closed"):
            m.classify("a")


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""Opens what bertc train wrote with Transformers, sentence-transformers and PEFT, and compares their answers with those of bertc run.

    folder_check.py CASES.jsonl

A line of CASES: {"name", "task", "folder", "texts", "answers"}, and of an adapter "base", the model that it is added to. texts: lines of
bertc run --input; answers: what it wrote with --json and --raw-scores, of tag with --aggregation none too, of answer with --answer-tokens and
--top-k 50. Prints the largest difference of each case; the exit status is 1 where one is above 1e-4."""
import json
import sys

import torch
from transformers import (AutoConfig, AutoModel, AutoModelForMaskedLM, AutoModelForPreTraining, AutoModelForQuestionAnswering,
                          AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer)

CLASSES = {"classify": AutoModelForSequenceClassification, "tag": AutoModelForTokenClassification, "embed": AutoModel,
           "answer": AutoModelForQuestionAnswering, "mlm": AutoModelForMaskedLM, "pretrain": AutoModelForPreTraining}
ANSWER = 15  # tokens of the longest answer


def lines_of(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def model_of(case):
    kind = CLASSES[case["task"]]
    if "base" not in case:
        return kind.from_pretrained(case["folder"], dtype=torch.float32).eval()
    from peft import PeftModel
    config = AutoConfig.from_pretrained(case["folder"])
    more = {} if case["task"] == "embed" else {"config": config}
    return PeftModel.from_pretrained(kind.from_pretrained(case["base"], dtype=torch.float32, **more), case["folder"]).eval()


def apart(found, want):
    return float("inf") if len(found) != len(want) else max((abs(a - b) for a, b in zip(found, want)), default=0.0)


def compare(case, model, tokenizer, text, said):
    """The largest difference between bertc's answer and the model's for one text."""
    inputs = tokenizer(text["text"], text.get("pair"), return_tensors="pt")
    if case["task"] == "embed" and "base" not in case:
        return apart(model.encode(text["text"]).tolist(), said["embedding"])
    # PEFT's model for questions passes no token types on; the one within it does.
    within = model.base_model if "base" in case and case["task"] == "answer" else model
    with torch.no_grad():
        out = within(**inputs)
    if case["task"] == "embed":
        return apart(out.last_hidden_state[0].mean(0).tolist(), said["embedding"])
    if case["task"] == "classify":
        labels = model.config.label2id
        scores = said["scores"] if "scores" in said else [said]
        return apart([s["score"] for s in scores], [out.logits[0, labels[s["label"]]].item() for s in scores])
    if case["task"] == "tag":
        best = out.logits[0].max(-1)
        inside = [i for i in range(1, len(best.values) - 1) if model.config.id2label[best.indices[i].item()] != "O"]
        names = [(i, model.config.id2label[best.indices[i].item()]) for i in inside]
        if names != [(e["index"], e["entity"]) for e in said["entities"]]:
            return float("inf")
        return apart([e["score"] for e in said["entities"]], [best.values[i].item() for i in inside])
    if case["task"] == "answer":
        start, end, of = out.start_logits[0], out.end_logits[0], inputs.sequence_ids(0)
        context = [i for i, s in enumerate(of) if s == 1]
        best = max(start[i].item() + end[k].item() for i in context for k in context if i <= k < i + ANSWER)
        return abs(best - max(a["logit_score"] for a in said["answers"]))
    logits = out.prediction_logits if case["task"] == "pretrain" else out.logits
    at = inputs["input_ids"][0].tolist().index(tokenizer.mask_token_id)
    scores = said["masks"][0]["scores"]
    worst = apart([s["score"] for s in scores], [logits[0, at, s["token"]].item() for s in scores])
    if case["task"] == "pretrain":
        worst = max(worst, abs(said["next_sentence"] - out.seq_relationship_logits[0, 0].item()))
    return worst


def main():
    failed = False
    for case in lines_of(sys.argv[1]):
        if case["task"] == "embed" and "base" not in case:
            from sentence_transformers import SentenceTransformer
            model, tokenizer = SentenceTransformer(case["folder"], device="cpu").float(), AutoTokenizer.from_pretrained(case["folder"])
        else:
            model, tokenizer = model_of(case), AutoTokenizer.from_pretrained(case["folder"])
        texts, answers = lines_of(case["texts"]), lines_of(case["answers"])
        worst = max(compare(case, model, tokenizer, t, a) for t, a in zip(texts, answers, strict=True))
        failed |= not worst < 1e-4
        print(f"{case['name']:24} {len(texts)} texts, largest difference {worst:.2e}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""What bertc train --task pretrain does, by PyTorch and Transformers: masked LM and next sentence from the weights of a folder.

    torch_pretrain.py MODEL --train TEXT --dev TEXT --log FILE [OPTION]...

A line of the text is a sentence, an empty line ends a document. Texts of --max-seq-length are filled with lines of one document and cut
between two of them; every second time another document's text follows the cut. Masks and pairs are drawn anew in each epoch, those of
the dev part once. Writes a line of JSON per step, and one per epoch with eval_mlm_loss and eval_next_accuracy."""
import argparse
import json
import random
import time

import torch
from transformers import AutoTokenizer, BertForPreTraining, get_linear_schedule_with_warmup, logging

IGNORED = -100


def options():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("--train", required=True)
    p.add_argument("--dev", required=True)
    p.add_argument("--log", required=True)
    p.add_argument("--learning-rate", type=float, default=5e-5)
    p.add_argument("--num-train-epochs", type=int, default=3)
    p.add_argument("--per-device-train-batch-size", type=int, default=8)
    p.add_argument("--weight-decay", type=float, default=0)
    p.add_argument("--warmup-ratio", type=float, default=0)
    p.add_argument("--max-seq-length", type=int, default=128)
    p.add_argument("--dropout", type=float)
    p.add_argument("--seed", type=int, default=42)
    p.add_argument("--device", default="cpu")
    p.add_argument("--threads", type=int, default=1)
    return p.parse_args()


def passages(path, tokenizer, room):
    """Lists of lines (lists of ids) of one document, of at most `room` tokens together; and the document's number."""
    out, document = [], 0
    with open(path, encoding="utf-8") as f:
        lines = [line.rstrip("\n") for line in f]
    ids = tokenizer(lines, add_special_tokens=False)["input_ids"]
    fresh = True
    for line in ids:
        if not line:
            fresh, document = True, document + 1
            continue
        pieces = [line[at:at + room] for at in range(0, len(line), room)]
        joins = not fresh and len(pieces) == 1 and sum(map(len, out[-1][0])) + len(line) <= room
        if joins:
            out[-1][0].append(line)
        else:
            out += [([piece], document) for piece in pieces]
        fresh = False
    return out


def cut(passage, draw):
    """The two parts of a passage."""
    if len(passage) > 1:
        k = draw.randrange(1, len(passage))
        return sum(passage[:k], []), sum(passage[k:], [])
    line = passage[0]
    k = min(len(line), max(1, len(line) // 4 + draw.randrange(len(line) // 2 + 1)))
    return line[:k], line[k:]


def pair(all_passages, i, draw):
    passage, document = all_passages[i]
    a, b = cut(passage, draw)
    if draw.random() < 0.5:
        return a, b, 0
    room = len(b)
    for _ in range(16):
        other = draw.choice(all_passages)
        if other[1] != document:
            break
    tail = cut(other[0], draw)[1]
    return a, (tail or other[0][0])[:max(1, room)], 1


def example(all_passages, i, draw, tokenizer):
    a, b, other = pair(all_passages, i, draw)
    cls, sep, mask = tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.mask_token_id
    ids = [cls] + a + [sep] + b + [sep]
    types = [0] * (len(a) + 2) + [1] * (len(b) + 1)
    labels = [IGNORED] * len(ids)
    for k, token in enumerate(ids):
        if token in (cls, sep) or draw.random() >= 0.15:
            continue
        labels[k] = token
        change = draw.random()
        ids[k] = mask if change < 0.8 else draw.randrange(tokenizer.vocab_size) if change < 0.9 else token
    return ids, types, labels, other


def collate(rows, device):
    longest = max(len(r[0]) for r in rows)

    def grid(k, fill):
        return torch.tensor([r[k] + [fill] * (longest - len(r[k])) for r in rows], device=device)

    mask = torch.tensor([[1] * len(r[0]) + [0] * (longest - len(r[0])) for r in rows], device=device)
    return {"input_ids": grid(0, 0), "token_type_ids": grid(1, 0), "attention_mask": mask, "labels": grid(2, IGNORED),
            "next_sentence_label": torch.tensor([r[3] for r in rows], device=device)}


def measure(model, dev, tokenizer, o):
    draw, loss, count, right = random.Random(0), 0.0, 0, 0
    rows = [example(dev, i, draw, tokenizer) for i in range(len(dev))]
    model.eval()
    with torch.no_grad():
        for at in range(0, len(rows), 64):
            batch = collate(rows[at:at + 64], o.device)
            found = model(**{k: v for k, v in batch.items() if "label" not in k})
            at_labels = batch["labels"] != IGNORED
            loss += torch.nn.functional.cross_entropy(found.prediction_logits[at_labels], batch["labels"][at_labels],
                                                      reduction="sum").item()
            count += at_labels.sum().item()
            right += (found.seq_relationship_logits.argmax(-1) == batch["next_sentence_label"]).sum().item()
    model.train()
    return {"eval_mlm_loss": loss / count, "eval_next_accuracy": right / len(rows)}


def main():
    o = options()
    logging.set_verbosity_error()
    torch.set_num_threads(o.threads)
    torch.manual_seed(o.seed)
    tokenizer = AutoTokenizer.from_pretrained(o.model)
    more = {} if o.dropout is None else {"hidden_dropout_prob": o.dropout, "attention_probs_dropout_prob": o.dropout}
    model = BertForPreTraining.from_pretrained(o.model, dtype=torch.float32, **more).to(o.device).train()
    train, dev = (passages(path, tokenizer, o.max_seq_length - 3) for path in (o.train, o.dev))
    decays = [p for n, p in model.named_parameters() if not (n.endswith("bias") or "LayerNorm" in n)]
    others = [p for n, p in model.named_parameters() if n.endswith("bias") or "LayerNorm" in n]
    adam = torch.optim.AdamW([{"params": decays, "weight_decay": o.weight_decay}, {"params": others, "weight_decay": 0}],
                             lr=o.learning_rate, fused=True)
    size = o.per_device_train_batch_size
    steps = (len(train) + size - 1) // size * o.num_train_epochs
    rate = get_linear_schedule_with_warmup(adam, int(steps * o.warmup_ratio + 0.999), steps)
    draw, step, start = random.Random(o.seed), 0, time.perf_counter()
    with open(o.log, "w", encoding="utf-8") as log:
        for epoch in range(o.num_train_epochs):
            order = list(range(len(train)))
            draw.shuffle(order)
            losses = []
            for at in range(0, len(order), size):
                batch = collate([example(train, i, draw, tokenizer) for i in order[at:at + size]], o.device)
                adam.zero_grad(set_to_none=True)
                loss = model(**batch).loss
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                adam.step()
                rate.step()
                losses.append(loss.detach())
            for loss in losses:
                step += 1
                log.write(json.dumps({"step": step, "loss": loss.item()}) + "\n")
            log.write(json.dumps({"epoch": epoch + 1, "step": step, **measure(model, dev, tokenizer, o)}) + "\n")
            log.flush()
    print(f"{len(train)} texts, {steps} steps, {time.perf_counter() - start:.1f} s", measure(model, dev, tokenizer, o))


main()

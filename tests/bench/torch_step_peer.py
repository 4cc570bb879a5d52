#!/usr/bin/env python3
"""PyTorch as a contender in training:  torch_step_peer.py FOLDER THREADS DROPOUT [bf16]

A call is a step of fine-tuning Transformers' BertForSequenceClassification: forward, backward, clipping, AdamW (fused). With `bf16`
under autocast, with weights and states in float32. Outputs: the loss, and the norm of the gradients before clipping."""
import sys
import time

import numpy as np
import torch
from transformers import BertForSequenceClassification, logging

from peer_io import serve

folder, threads, dropout = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
bf16 = sys.argv[4:] == ["bf16"]
torch.set_num_threads(threads)
logging.set_verbosity_error()
start = time.perf_counter()
model = BertForSequenceClassification.from_pretrained(
    folder, dtype=torch.float32, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
model.train()
adam = torch.optim.AdamW(model.parameters(), lr=2e-5, weight_decay=0.0, fused=True)
load_ms = (time.perf_counter() - start) * 1e3
print("PyTorch", torch.__version__, file=sys.stderr)
batch, said = None, None


def set_batch(ids, mask):
    global batch
    labels = torch.arange(ids.shape[0]) % 2
    batch = {"input_ids": torch.from_numpy(ids.astype(np.int64)), "attention_mask": torch.from_numpy(mask.astype(np.int64)),
             "labels": labels}


def call():
    global said
    adam.zero_grad(set_to_none=True)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        loss = model(**batch).loss
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    adam.step()
    said = np.array([loss.item(), norm.item()], np.float32)


serve(load_ms, set_batch, call, lambda: [said])

#!/usr/bin/env python3
"""ONNX Runtime for Python as a contender:  ort_peer.py MODEL.onnx THREADS

Inputs and outputs are bound, so that a call copies nothing."""
import sys
import time

import numpy as np
import onnxruntime as ort

from peer_io import serve

options = ort.SessionOptions()
options.intra_op_num_threads = int(sys.argv[2])
options.inter_op_num_threads = 1
options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
start = time.perf_counter()
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
load_ms = (time.perf_counter() - start) * 1e3
print("ONNX Runtime", ort.__version__, file=sys.stderr)
binding, kept = None, []


def set_batch(ids, mask):
    global binding
    binding = session.io_binding()
    kept.clear()
    given = {"input_ids": ids, "attention_mask": mask}
    for i in session.get_inputs():
        a = given.get(i.name, np.zeros_like(ids))
        a = np.ascontiguousarray(a, np.int64 if "int64" in i.type else np.int32)
        value = ort.OrtValue.ortvalue_from_numpy(a)
        kept.append(value)
        binding.bind_ortvalue_input(i.name, value)
    for o in session.get_outputs():
        binding.bind_output(o.name, "cpu")


def call():
    session.run_with_iobinding(binding)


def outputs():
    return binding.copy_outputs_to_cpu()


serve(load_ms, set_batch, call, outputs)

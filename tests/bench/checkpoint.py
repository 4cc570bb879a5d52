"""A BERT checkpoint folder as numpy arrays: config.json, and model.safetensors read by its header. Names are those of BertModel,
without the prefix `bert.` of checkpoints that have a head."""
import json
import os
import struct

import numpy as np

DTYPES = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16, "I64": np.int64}


class Checkpoint:
    def __init__(self, folder):
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
            self.config = json.load(f)
        path = os.path.join(folder, "model.safetensors")
        with open(path, "rb") as f:
            size = struct.unpack("<Q", f.read(8))[0]
            header = json.loads(f.read(size))
        self.bytes, self.start = np.memmap(path, np.uint8, "r"), 8 + size
        header.pop("__metadata__", None)
        self.entries = {(n[5:] if n.startswith("bert.") else n): e for n, e in header.items()}

    def __contains__(self, name):
        return name in self.entries

    def __getitem__(self, name):
        e = self.entries[name]
        begin, end = (self.start + offset for offset in e["data_offsets"])
        a = self.bytes[begin:end].view(DTYPES[e["dtype"]]).reshape(e["shape"])
        if e["dtype"] == "BF16":
            a = (a.astype(np.uint32) << 16).view(np.float32)
        return np.asarray(a, dtype=np.float32)

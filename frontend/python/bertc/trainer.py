"""Training inside an application: steps on what it gathers, parameters in memory, a safetensors file at the end."""

import ctypes
import os
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from . import binding as lib
from .binding import Error, call, native
from .model import Model, TextLike, _texts


def _column(rows: Sequence[Any], integers: bool, width: int) -> Any:
    out = np.ascontiguousarray(np.concatenate([np.asarray(r).reshape(-1) for r in rows]) if len(rows) else [],
                               np.int32 if integers else np.float32)
    if width > 1 and out.size % width:
        raise ValueError(f"a target's rows have {width} numbers")
    return out


_KINDS = {"parameters": 0, "gradients": 1, "optimizer": 2}


def _kind(name: str) -> int:
    if name not in _KINDS:
        raise ValueError(f"{name!r} is none of {', '.join(_KINDS)}")
    return _KINDS[name]


class Trainer:
    """Steps of an artefact of ``bertc compile --train``. It serves one call at a time.

    The artefact stays as it is; the parameters are the trainer's own. The same calls give the same bits on any number of threads.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"], *, threads: int = 0) -> None:
        self._trainer = 0
        self._model = Model(path, threads=1)
        options = lib.SessionOptions(threads=threads or lib.cpu_count())
        self._trainer = call(native.bertc_trainer_open, self._model._model, ctypes.byref(options))
        self._session = native.bertc_trainer_session(self._trainer)
        self.info = self._model.info
        #: What the loss is held against: {name: (symbol, width, integers)}.
        self.targets = self._targets()

    def _targets(self) -> Dict[str, Tuple[str, int, bool]]:
        out, symbol, width, integers = {}, ctypes.create_string_buffer(1), ctypes.c_int64(), ctypes.c_bool()
        while True:
            name = native.bertc_target_describe(self._model._model, len(out), symbol, ctypes.byref(width),
                                                ctypes.byref(integers))
            if name is None:
                return out
            out[name.decode()] = (symbol.raw.decode(), width.value, integers.value)

    def close(self) -> None:
        """Gives back the parameters and the artefact."""
        if self._trainer:
            native.bertc_trainer_close(self._trainer)
        self._trainer = 0
        self._model.close()

    def __enter__(self) -> "Trainer":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_trainer", 0):
            self.close()

    def tokenize(self, text: TextLike, *, max_tokens: int = 0) -> Tuple[List[int], List[int]]:
        """Ids and types of a text, cut to what the model takes."""
        self._check()
        tokens, count = ctypes.POINTER(lib.Token)(), ctypes.c_size_t()
        options = lib.TextOptions(truncation=1, max_tokens=max_tokens)
        call(native.bertc_text_tokens, self._session, _texts([text]), ctypes.byref(options), ctypes.byref(tokens),
             ctypes.byref(count))
        return [t.id for t in tokens[:count.value]], [t.type for t in tokens[:count.value]]

    def _check(self) -> None:
        if not self._trainer:
            raise Error("the trainer is closed")

    def gradients(self, texts: Sequence[TextLike], targets: Mapping[str, Sequence[Any]], *, scale: Optional[float] = None,
                  seed: Tuple[int, int] = (0, 0), first: bool = True, max_tokens: int = 0) -> float:
        """Forward and backward over one micro-batch; returns its loss.

        targets: by name, one entry for each text: a label, numbers, or a list with one for each token. scale: 1 / (labels of the
        whole step); else 1 / (texts). first: the step's first micro-batch; later ones add their gradients.
        """
        self._check()
        both = [self.tokenize(t, max_tokens=max_tokens) for t in texts]
        bounds = np.cumsum([0] + [len(ids) for ids, _ in both]).astype(np.int32)
        ids, types = (np.array([v for pair in both for v in pair[k]], np.int32) for k in (0, 1))
        array, kept = (lib.Target * max(len(targets), 1))(), []
        for to, (name, rows) in zip(array, targets.items()):
            if name not in self.targets:
                raise Error(f"{name!r} is no target of the model: it has {', '.join(self.targets)}")
            symbol, width, integers = self.targets[name]
            if len(rows) != len(texts):
                raise ValueError(f"{name}: {len(rows)} entries for {len(texts)} texts")
            kept.append(_column(rows, integers, width))
            want = (len(ids) if symbol == "T" else len(texts)) * max(width, 1)
            if symbol != "R" and kept[-1].size != want:
                raise ValueError(f"{name}: {kept[-1].size} numbers, not {want}")
            to.size, to.name = ctypes.sizeof(lib.Target), name.encode()
            if integers:
                to.integers = kept[-1].ctypes.data
            else:
                to.numbers = kept[-1].ctypes.data
        batch = lib.TrainBatch(batch=len(texts), bounds=bounds.ctypes.data, input_ids=ids.ctypes.data,
                               token_type_ids=types.ctypes.data, target_count=len(targets), targets=array,
                               scale=scale if scale is not None else 1 / max(len(texts), 1), seed=(ctypes.c_int32 * 2)(*seed))
        loss = ctypes.c_float()
        call(native.bertc_trainer_gradients, self._trainer, ctypes.byref(batch), first, ctypes.byref(loss))
        return loss.value

    def update(self, step: int, rate: float, *, clip: float = 1.0) -> float:
        """AdamW with the gradients as they are; returns their norm before clipping. step: from 1 on."""
        self._check()
        update, norm = lib.TrainUpdate(step=step, rate=rate, clip=clip), ctypes.c_float()
        call(native.bertc_trainer_update, self._trainer, ctypes.byref(update), ctypes.byref(norm))
        return norm.value

    def classify(self, text: TextLike) -> List[Dict[str, Any]]:
        """Labels and scores of a text, with the parameters as they are now."""
        self._check()
        array, result, options = _texts([text]), lib.Result(), lib.TextOptions(truncation=1)
        call(native.bertc_answer_texts, self._session, array, 1, ctypes.byref(options), ctypes.byref(result))
        return [{"label": result.scores[i].label.decode(), "score": result.scores[i].score} for i in range(result.score_count)]

    def _find(self, name: str) -> int:
        self._check()
        index = native.bertc_trainer_tensor_find(self._trainer, name.encode())
        if index < 0:
            raise KeyError(name)
        return index

    def tensors(self) -> Dict[str, Tuple[int, ...]]:
        """Parameters, gradients and the optimiser's states, with their shapes."""
        self._check()
        out, one = {}, lib.TrainTensor()
        for i in range(native.bertc_trainer_tensor_count(self._trainer)):
            call(native.bertc_trainer_tensor_describe, self._trainer, i, ctypes.byref(one))
            out[one.name.decode()] = tuple(one.shape[:one.rank])
        return out

    def read(self, name: str) -> Any:
        """A tensor's values now, float32."""
        index, one = self._find(name), lib.TrainTensor()
        call(native.bertc_trainer_tensor_describe, self._trainer, index, ctypes.byref(one))
        out = np.empty(tuple(one.shape[:one.rank]), np.float32)
        call(native.bertc_trainer_tensor_read, self._trainer, index, out.ctypes.data)
        return out

    def write(self, name: str, values: Any) -> None:
        """Puts other values into a tensor."""
        index, one = self._find(name), lib.TrainTensor()
        call(native.bertc_trainer_tensor_describe, self._trainer, index, ctypes.byref(one))
        data = np.ascontiguousarray(values, np.float32)
        if data.shape != tuple(one.shape[:one.rank]):
            raise ValueError(f"{name} is {tuple(one.shape[:one.rank])}, not {data.shape}")
        call(native.bertc_trainer_tensor_write, self._trainer, index, data.ctypes.data)

    def save(self, path: Union[str, "os.PathLike[str]"], kind: str = "parameters") -> None:
        """Writes a safetensors file: the parameters under the checkpoint's names, the "gradients", or the "optimizer"'s states."""
        self._check()
        call(native.bertc_trainer_save, self._trainer, os.fsencode(path), _kind(kind))

    def load(self, path: Union[str, "os.PathLike[str]"], kind: str = "parameters") -> None:
        """Reads what `save` wrote, or any safetensors file that has each tensor of the kind in its shape, as F32, F16 or BF16.

        A file that lacks one, or is damaged, is an error, and nothing changes. A trainer that gets the parameters and the "optimizer"'s
        states goes on bit for bit; the number of the step is the caller's to keep.
        """
        self._check()
        call(native.bertc_trainer_load, self._trainer, os.fsencode(path), _kind(kind))

    def gradient_memory(self) -> Any:
        """All gradients as they lie, as an array that is not a copy: to be added up over processes between `gradients` and `update`.

        It is the trainer's memory: it may not be used after `close`.
        """
        self._check()
        count = ctypes.c_int64()
        at = native.bertc_trainer_gradient_memory(self._trainer, ctypes.byref(count))
        return np.ctypeslib.as_array(ctypes.cast(at, ctypes.POINTER(ctypes.c_float)), (count.value,)) if at else np.empty(0, np.float32)

    def trim(self) -> None:
        """Gives the memory of the last step's values back to the system; the next step takes it again."""
        self._check()
        call(native.bertc_trainer_trim, self._trainer)

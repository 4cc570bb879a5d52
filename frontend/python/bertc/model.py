"""A compiled model: texts in, answers out, with the keys of Transformers' pipelines and sentence-transformers' arrays."""

import contextlib
import ctypes
import json
import os
import threading
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from . import binding as lib
from .binding import Error, call, native, optional_utf8, utf8

#: A text; a text and its pair; or both by name.
TextLike = Union[str, Tuple[str, str], Mapping[str, str]]

_TASKS = ["tensors", "embedding", "classify", "multi-label", "regression", "entities", "answer", "fill-mask", "next-sentence",
          "pretraining", "sparse", "vectors", "several"]
_SIMILARITIES = ["cosine", "dot", "euclidean", "manhattan", "maxsim", "mean-maxsim"]
_ROLES = {None: 0, "query": 1, "document": 2}
_AGGREGATIONS = {"words": 0, "first": 1, "simple": 2, "average": 3, "max": 4, "none": 5}
_AT_ONCE = 1024  # texts of one call: what a session has memory for from the beginning
_UNSET: Any = object()


@dataclass(frozen=True)
class ModelInfo:
    """What an artefact says of itself."""

    task: str
    labels: Tuple[str, ...]
    prompts: Mapping[str, str]
    default_prompt: Optional[str]
    max_length: int  # tokens of the longest text that fits
    embedding_size: int  # numbers of an embedding; 0: the model gives none
    vector_width: int  # of the vectors that tokens get; 0: they get none
    sparse_width: int  # of sparse weights; 0: the model gives none
    similarity: str
    weight_bytes: int
    levels: Tuple[str, ...]  # that this CPU runs, best first


def _info(model: int) -> ModelInfo:
    raw = lib.ModelInfoStruct()
    call(native.bertc_model_describe, model, ctypes.byref(raw))
    prompts, names = {}, []
    for i in range(raw.prompt_count):
        text = ctypes.c_char_p()
        name = native.bertc_prompt(model, i, ctypes.cast(ctypes.byref(text), ctypes.POINTER(ctypes.c_char_p)))
        names.append(name.decode())
        prompts[names[-1]] = text.value.decode()
    default = names[raw.default_prompt] if raw.default_prompt >= 0 else None
    return ModelInfo(_TASKS[raw.task], tuple(native.bertc_label(model, i).decode() for i in range(raw.label_count)), prompts,
                     default, raw.max_length, raw.embedding_size, raw.vector_width, raw.sparse_width,
                     _SIMILARITIES[raw.similarity], raw.weight_bytes, tuple((raw.isa_names or b"").decode().split(",")))


def _is_one(texts: Any) -> bool:
    return isinstance(texts, (str, Mapping)) or (isinstance(texts, tuple) and len(texts) == 2 and isinstance(texts[0], str))


def _parts(text: TextLike) -> Tuple[str, Optional[str]]:
    if isinstance(text, str):
        return text, None
    if isinstance(text, Mapping):
        unknown = set(text) - {"text", "text_pair"}
        if unknown or "text" not in text:
            raise ValueError("a text with a pair is {'text': ..., 'text_pair': ...}")
        return text["text"], text.get("text_pair")
    if not isinstance(text, tuple) or len(text) != 2:
        raise TypeError(f"a text is a str, a tuple of two, or {{'text': ..., 'text_pair': ...}}, not {type(text).__name__}")
    return text[0], text[1]


def _texts(texts: Sequence[TextLike]) -> Any:
    array = (lib.Text * len(texts))()
    for to, text in zip(array, texts):
        first, pair = _parts(text)
        to.text = raw = utf8(first)
        to.size = len(raw)
        if pair is not None:
            to.pair = raw = utf8(pair)
            to.pair_size = len(raw)
    return array


def _pick(table: Mapping[Any, int], key: Any, name: str) -> int:
    try:
        return table[key]
    except (KeyError, TypeError):
        raise ValueError(f"{name} is {key!r}: it is one of {', '.join(repr(k) for k in table)}") from None


def _options(long: str = "error", **fields: Any) -> lib.TextOptions:
    options = lib.TextOptions(**fields)
    if long == "truncate":
        options.truncation = 1
    elif long == "window":
        options.windows = True
    elif long != "error":
        raise ValueError(f"long is {long!r}: it is one of 'error', 'truncate', 'window'")
    return options


class Model:
    """An artefact of ``bertc compile``. Threads may share it: each call takes a session of its own.

    path: the artefact. threads: of each session; 0: as many as this process has CPUs. huge_pages: each session copies
    the weights to 2 MB pages. max_text_bytes: of the longest text.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"], *, threads: int = 0, huge_pages: bool = False,
                 max_text_bytes: int = 1 << 20) -> None:
        path = os.fspath(path)
        if os.path.isdir(path):
            raise Error(f"{path}: is a folder; bertc.compile({path!r}) makes an artefact of it")
        self._model = call(native.bertc_load, os.fsencode(path))
        self._session_options = lib.SessionOptions(threads=threads or lib.cpu_count(), huge_pages=huge_pages,
                                                   max_text_bytes=max_text_bytes)
        self._lock = threading.Lock()
        self._idle: List[int] = []
        self._busy = 0
        self.path = path
        #: What the artefact says of itself.
        self.info = _info(self._model)
        self._idle.append(self._open())

    def _open(self) -> int:
        return call(native.bertc_open, self._model, ctypes.byref(self._session_options))

    @contextlib.contextmanager
    def _session(self) -> Iterator[int]:
        with self._lock:
            if not self._model:
                raise Error(f"{self.path}: the model is closed")
            session = self._idle.pop() if self._idle else 0
            self._busy += 1
        try:
            session = session or self._open()
            yield session
        finally:
            with self._lock:
                self._busy -= 1
                if session:
                    self._idle.append(session)

    def close(self) -> None:
        """Gives back the sessions and the artefact. No call may be under way."""
        with self._lock:
            if self._busy:
                raise Error(f"{self.path}: the model is in a call")
            for session in self._idle:
                native.bertc_close(session)
            self._idle.clear()
            if self._model:
                native.bertc_unload(self._model)
            self._model = 0

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_model", 0) and not self._busy:
            self.close()

    def __repr__(self) -> str:
        return f"<bertc.Model {self.path!r}: {self.info.task}>"

    # --- What all methods share

    def _answers(self, texts: Sequence[TextLike], options: lib.TextOptions, read: Callable[[Any, Any], Any]) -> List[Any]:
        """``read(result, text)`` for each text, within the session's call."""
        out: List[Any] = []
        for start in range(0, len(texts), _AT_ONCE):
            array = _texts(texts[start:start + _AT_ONCE])
            results = (lib.Result * len(array))()
            results[0].size = ctypes.sizeof(lib.Result)
            with self._session() as session:
                call(native.bertc_answer_texts, session, array, len(array), ctypes.byref(options), results)
                out += [read(results[i], array[i]) for i in range(len(array))]
        return out

    @staticmethod
    def _json(result: Any, text: Any) -> Dict[str, Any]:
        buffer = ctypes.create_string_buffer(4096)
        size = native.bertc_result_json(ctypes.byref(result), ctypes.byref(text), buffer, len(buffer))
        if size >= len(buffer):
            buffer = ctypes.create_string_buffer(size + 1)
            native.bertc_result_json(ctypes.byref(result), ctypes.byref(text), buffer, len(buffer))
        # Numbers are written with the digits that give their float32 back, which are not those of the float64 beside it.
        return json.loads(buffer.value.decode("utf-8"), parse_float=lambda digits: float(np.float32(digits)))

    def _need(self, what: str, *tasks: str) -> None:
        if self.info.task not in tasks:
            raise Error(f"{self.path}: the model gives no {what} (its task is {self.info.task})")

    # --- Embeddings

    def encode(self, texts: Union[str, Sequence[TextLike]], *, prompt_name: Optional[str] = None, prompt: Optional[str] = None,
               normalize_embeddings: bool = False, truncate_dim: Optional[int] = None, role: Optional[str] = None,
               long: str = "truncate", max_tokens: int = 0, plain_text: bool = False) -> Any:
        """Embeddings, as sentence-transformers' ``encode``: float32 [n, width], or [width] for one text.

        Of a model that gives a vector per token (late interaction): an array [tokens, width] for each text.
        prompt_name, prompt: what goes before each text; else the model's default. truncate_dim: how many numbers are kept.
        long: what is done with a text that is too long: 'truncate', 'window' (the mean of its windows) or 'error'.
        plain_text: text never becomes a special token.
        """
        options = _options(long, prompt_name=optional_utf8(prompt_name), prompt=optional_utf8(prompt),
                           normalize=normalize_embeddings, dimensions=truncate_dim or 0, role=_pick(_ROLES, role, "role"),
                           max_tokens=max_tokens, plain_text=plain_text)
        one = _is_one(texts)
        batch: Sequence[TextLike] = [texts] if one else texts  # type: ignore[list-item,assignment]
        if self.info.task == "vectors":
            rows = self._answers(batch, options, lambda r, _: np.ctypeslib.as_array(
                r.vectors, (r.vector_count, r.vector_width)).copy() if r.vector_count else np.zeros((0, r.vector_width), np.float32))
            return rows[0] if one else rows
        if not self.info.embedding_size:
            self._need("embeddings", "embedding")
        width = truncate_dim or self.info.embedding_size
        out = np.empty((len(batch), max(width, 0)), np.float32)
        for start in range(0, len(batch), _AT_ONCE):
            array = _texts(batch[start:start + _AT_ONCE])
            with self._session() as session:
                call(native.bertc_embed_texts, session, array, len(array), ctypes.byref(options),
                     out[start:].ctypes.data, width)
        return out[0] if one else out

    def encode_query(self, texts: Any, **options: Any) -> Any:
        """``encode`` for what looks for documents: the model's prompt, marker and length of queries."""
        return self.encode(texts, role="query", **options)

    def encode_document(self, texts: Any, **options: Any) -> Any:
        """``encode`` for what is looked for."""
        return self.encode(texts, role="document", **options)

    def sparse(self, texts: Union[str, Sequence[TextLike]], *, top_k: int = 0, role: Optional[str] = None,
               long: str = "truncate", plain_text: bool = False) -> Any:
        """Sparse weights (SPLADE, BGE-M3): for each text a list of {'id', 'token', 'weight'}, the largest first."""
        if not self.info.sparse_width:
            self._need("sparse weights", "sparse")
        options = _options(long, top_k=top_k, role=_pick(_ROLES, role, "role"), plain_text=plain_text)
        one = _is_one(texts)
        rows = self._answers([texts] if one else texts, options,  # type: ignore[list-item,arg-type]
                             lambda r, t: self._json(r, t)["sparse"])
        return rows[0] if one else rows

    def similarity(self, a: Any, b: Any) -> Any:
        """How alike embeddings are, [rows of a, rows of b], by the model's own measure; the larger, the more alike.

        Of vectors per token: a and b are lists of arrays [tokens, width].
        """
        how = self.info.similarity
        if how in ("maxsim", "mean-maxsim"):
            return np.array([[_maxsim(x, y, how == "mean-maxsim") for y in _list_of(b)] for x in _list_of(a)], np.float32)
        x, y = np.atleast_2d(np.asarray(a, np.float32)), np.atleast_2d(np.asarray(b, np.float32))
        if how == "cosine":
            x, y = (v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-12) for v in (x, y))
        if how in ("cosine", "dot"):
            return x @ y.T
        apart = (x[i] - y for i in range(len(x)))
        return -np.array([np.linalg.norm(d, axis=1) if how == "euclidean" else np.abs(d).sum(1) for d in apart], np.float32)

    # --- Labels

    def classify(self, texts: Union[TextLike, Sequence[TextLike]], *, top_k: Optional[int] = _UNSET, raw_scores: bool = False,
                 long: str = "error", plain_text: bool = False) -> Any:
        """Labels of texts, as Transformers' text-classification pipeline gives them.

        Without top_k: a list with {'label', 'score'} of the best label for each text. With it: for each text (for one text
        alone, without a list round it) its best top_k labels; None: all. raw_scores: logits.
        """
        self._need("labels of texts", "classify", "multi-label", "regression")
        options = _options(long, top_k=1 if top_k is _UNSET else top_k or 0, raw_scores=raw_scores, plain_text=plain_text)
        one = _is_one(texts)
        rows = self._answers([texts] if one else texts, options,  # type: ignore[list-item,arg-type]
                             lambda r, t: [{"label": r.scores[i].label.decode(), "score": r.scores[i].score}
                                           for i in range(r.score_count)])
        if top_k is _UNSET:
            return [row[0] for row in rows]
        return rows[0] if one else rows

    def zero_shot(self, texts: Union[str, Sequence[str]], candidate_labels: Union[str, Sequence[str]], *,
                  hypothesis_template: Optional[str] = None, multi_label: bool = False) -> Any:
        """Labels that the call gives, by a model of natural language inference, as Transformers' zero-shot-classification.

        {'sequence', 'labels', 'scores'} for each text, best label first. candidate_labels: a list, or a string with commas.
        """
        names = [n.strip() for n in candidate_labels.split(",")] if isinstance(candidate_labels, str) else list(candidate_labels)
        raw = [utf8(n) for n in names if n]
        how = lib.ZeroShotOptions(label_count=len(raw), labels=(ctypes.c_char_p * max(len(raw), 1))(*raw),
                                  hypothesis=optional_utf8(hypothesis_template), multi_label=multi_label)
        one = isinstance(texts, str)
        batch: Sequence[str] = [texts] if one else texts  # type: ignore[list-item,assignment]
        options, out = lib.TextOptions(), []
        for text in batch:
            array, result = _texts([text]), lib.Result()
            with self._session() as session:
                call(native.bertc_zero_shot, session, array, 1, ctypes.byref(how), ctypes.byref(options), ctypes.byref(result))
                out.append({"sequence": text, **self._json(result, array[0])})
        return out[0] if one else out

    # --- Entities, answers, words, order, summaries

    def entities(self, texts: Union[str, Sequence[str]], *, aggregation_strategy: str = "words", long: str = "window",
                 plain_text: bool = False) -> Any:
        """Entities of texts, a list for each: {'entity_group', 'score', 'word', 'start', 'end'}.

        aggregation_strategy: 'words' (whole words, labels read as they are meant), or one of Transformers' 'none' (there with
        'entity' and 'index'), 'simple', 'first', 'average', 'max'. start and end are characters of the text.
        """
        self._need("entities", "entities")
        options = _options(long, aggregation=_pick(_AGGREGATIONS, aggregation_strategy, "aggregation_strategy"),
                           plain_text=plain_text)
        one = _is_one(texts)
        rows = self._answers([texts] if one else texts, options,  # type: ignore[list-item]
                             lambda r, t: self._json(r, t)["entities"])
        return rows[0] if one else rows

    def answer(self, question: Union[str, Sequence[str]], context: Union[str, Sequence[str]], *, top_k: int = 1,
               doc_stride: int = 128, max_answer_len: int = 15, max_seq_len: int = 384, handle_impossible_answer: bool = False,
               align_to_words: bool = True) -> Any:
        """Answers in contexts, as Transformers' question-answering pipeline: {'score', 'start', 'end', 'answer'}.

        With top_k over 1 a list of them. One question and one context, or lists of the same length, or one of the two for all.
        """
        self._need("answers to questions", "answer")
        one = isinstance(question, str) and isinstance(context, str)
        questions = [question] if isinstance(question, str) else list(question)
        contexts = [context] if isinstance(context, str) else list(context)
        if len(questions) != len(contexts) and 1 not in (len(questions), len(contexts)):
            raise ValueError(f"{len(questions)} questions and {len(contexts)} contexts")
        n = max(len(questions), len(contexts)) if questions and contexts else 0
        pairs = [(questions[i % len(questions)], contexts[i % len(contexts)]) for i in range(n)]
        most = min(max_seq_len, self.info.max_length)
        options = _options("window", top_k=top_k, stride=min(doc_stride, most // 2) or -1, max_answer_tokens=max_answer_len,
                           max_tokens=most, no_answer=handle_impossible_answer, answer_as_tokens=not align_to_words)
        rows = self._answers(pairs, options, lambda r, t: self._spans(self._json(r, t), top_k))
        return rows[0] if one else rows

    @staticmethod
    def _spans(said: Dict[str, Any], top_k: int) -> Any:
        keys = ("score", "start", "end", "answer")
        spans = [{k: s[k] for k in keys} for s in said.get("answers", [said])]
        return spans if top_k > 1 else spans[0]

    def fill_mask(self, texts: Union[str, Sequence[str]], *, top_k: int = 5) -> Any:
        """Words for mask tokens: {'score', 'token', 'token_str', 'sequence'}, best first; of several masks a list for each.

        ``sequence`` is the text with the word in the mask's place, as it was written otherwise.
        """
        self._need("words for a mask", "fill-mask", "pretraining")
        one = isinstance(texts, str)
        batch: Sequence[str] = [texts] if one else texts  # type: ignore[list-item,assignment]
        said = self._answers(batch, _options(top_k=top_k), lambda r, t: self._json(r, t)["masks"])
        rows = [[self._words(text, mask) for mask in masks] for text, masks in zip(batch, said)]
        rows = [row[0] if len(row) == 1 else row for row in rows]  # type: ignore[misc]
        return rows[0] if one else rows

    @staticmethod
    def _words(text: str, mask: Dict[str, Any]) -> List[Dict[str, Any]]:
        before, after = text[:mask["start"]], text[mask["end"]:]
        return [{"score": s["score"], "token": s["token"], "token_str": s["token_str"],
                 "sequence": before + s["token_str"].strip() + after} for s in mask["scores"]]

    def rerank(self, query: str, documents: Sequence[str], *, top_k: Optional[int] = None, return_documents: bool = False,
               long: str = "truncate") -> List[Dict[str, Any]]:
        """Documents in order, by a cross-encoder, as CrossEncoder.rank: {'corpus_id', 'score'}, with return_documents 'text'."""
        array, most = _texts(list(documents)), top_k or len(documents)
        ranked = (lib.Ranked * max(len(array), 1))()
        options = _options(long, top_k=most)
        with self._session() as session:
            call(native.bertc_rank, session, _texts([query]), array, len(array), ctypes.byref(options), ranked)
        out = [{"corpus_id": r.index, "score": r.score} for r in ranked[:min(most, len(array))]]
        return [dict(r, text=documents[r["corpus_id"]]) for r in out] if return_documents else out

    def summarize(self, text: str, sentences: int, *, novelty: float = 0.3) -> List[Dict[str, Any]]:
        """The sentences that say most of a text, in its order: {'text', 'start', 'end', 'score'}."""
        array, result = _texts([text]), lib.Result()
        how = lib.SummaryOptions(sentence_count=sentences, novelty=novelty or -1)
        options = _options("truncate")
        with self._session() as session:
            call(native.bertc_summarize, session, array, ctypes.byref(how), ctypes.byref(options), ctypes.byref(result))
            return self._json(result, array[0])["sentences"]

    def tokenize(self, text: TextLike, *, role: Optional[str] = None, max_tokens: int = 0,
                 plain_text: bool = False) -> List[Dict[str, Any]]:
        """The tokens that the model reads of a text: {'id', 'token', 'type', 'start', 'end'}; start and end are None for those
        that stand in no text."""
        tokens, count = ctypes.POINTER(lib.Token)(), ctypes.c_size_t()
        options = _options("truncate" if max_tokens else "error", role=_pick(_ROLES, role, "role"), max_tokens=max_tokens,
                           plain_text=plain_text)
        with self._session() as session:
            call(native.bertc_text_tokens, session, _texts([text]), ctypes.byref(options), ctypes.byref(tokens),
                 ctypes.byref(count))
            return [{"id": t.id, "token": (native.bertc_token_text(self._model, t.id) or b"").decode("utf-8", "replace"),
                     "type": t.type, "start": None if t.text < 0 else t.char_start, "end": None if t.text < 0 else t.char_end}
                    for t in tokens[:count.value]]


def _list_of(vectors: Any) -> List[Any]:
    return [vectors] if isinstance(vectors, np.ndarray) and vectors.ndim == 2 else list(vectors)


def _maxsim(query: Any, document: Any, mean: bool) -> float:
    x, y = np.ascontiguousarray(query, np.float32), np.ascontiguousarray(document, np.float32)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"vectors of tokens are [tokens, width], not {x.shape} and {y.shape}")
    score = native.bertc_maxsim(x.ctypes.data, x.shape[0], y.ctypes.data, y.shape[0], x.shape[1])
    return score / max(x.shape[0], 1) if mean else score

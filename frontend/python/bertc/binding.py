"""libbertc by ctypes: its structs as the headers have them, its functions with their types, and its errors as exceptions."""

import ctypes
import ctypes.util
import os
from ctypes import POINTER, Structure, byref, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_size_t, c_uint32, c_void_p
from typing import Any, Callable, List, Optional, Sequence, Tuple

__all__ = ["Error", "cpu_count", "version"]


class Error(Exception):
    """What libbertc or the command says went wrong."""


class _Error(Structure):
    _fields_ = [("message", c_char * 512)]


class _Sized(Structure):
    """A struct that begins with its size."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self.size = ctypes.sizeof(self)


# --- The structs of bertc.h, bertc_text.h and bertc_train.h. tests/python holds them against the headers.


class ModelInfoStruct(_Sized):
    _fields_ = [("size", c_size_t), ("task", c_int), ("has_tokenizer", c_bool), ("label_count", c_int), ("output_count", c_int),
                ("variant_count", c_int), ("prompt_count", c_int), ("default_prompt", c_int), ("max_length", c_int64),
                ("max_batch", c_int64), ("weight_bytes", c_int64), ("isa_names", c_char_p), ("embedding_size", c_int),
                ("embedding_width", c_int), ("similarity", c_int), ("own_prompt_count", c_int), ("state_bytes", c_int64),
                ("vector_width", c_int64), ("sparse_width", c_int64)]


class SessionOptions(_Sized):
    _fields_ = [("size", c_size_t), ("threads", c_int), ("parallel", c_void_p), ("parallel_user", c_void_p),
                ("max_text_bytes", c_size_t), ("hook", c_void_p), ("hook_user", c_void_p), ("huge_pages", c_bool)]


class Word(Structure):
    _fields_ = [("start", c_uint32), ("end", c_uint32)]


class Text(Structure):
    _fields_ = [("text", c_char_p), ("size", c_size_t), ("pair", c_char_p), ("pair_size", c_size_t), ("words", POINTER(Word)),
                ("word_count", c_size_t)]


class Token(Structure):
    _fields_ = [("id", c_int32), ("type", c_int32), ("char_start", c_uint32), ("char_end", c_uint32), ("byte_start", c_uint32),
                ("byte_end", c_uint32), ("text", c_int32), ("word", c_int32)]


class Score(Structure):
    _fields_ = [("label", c_char_p), ("id", c_int32), ("score", c_float)]


class Answer(Structure):
    _fields_ = [("score", c_float), ("found", c_bool), ("char_start", c_uint32), ("char_end", c_uint32),
                ("byte_start", c_uint32), ("byte_end", c_uint32), ("logit_score", c_float)]


class Result(_Sized):
    _fields_ = [("size", c_size_t), ("task", c_int), ("token_count", c_int), ("window_count", c_int), ("score_count", c_int),
                ("scores", POINTER(Score)), ("entity_count", c_int), ("entities", c_void_p), ("word_count", c_int),
                ("words", POINTER(Score)), ("answer", Answer), ("mask_count", c_int), ("masks", c_void_p),
                ("next_sentence", c_float), ("embedding_size", c_int), ("embedding", POINTER(c_float)), ("raw_scores", c_bool),
                ("answer_count", c_int), ("answers", POINTER(Answer)), ("zero_shot", c_bool), ("sparse", POINTER(Score)),
                ("sparse_count", c_int), ("vector_count", c_int), ("vector_width", c_int), ("vectors", POINTER(c_float)),
                ("sentences", c_void_p), ("sentence_count", c_int64), ("no_answer", Answer),
                ("vector_tokens", POINTER(c_int32))]


class TextOptions(_Sized):
    _fields_ = [("size", c_size_t), ("truncation", c_int), ("top_k", c_int), ("max_answer_tokens", c_int),
                ("answer_as_tokens", c_bool), ("max_tokens", c_int64), ("windows", c_bool), ("stride", c_int),
                ("prompt_name", c_char_p), ("prompt", c_char_p), ("raw_scores", c_bool), ("aggregation", c_int),
                ("no_answer", c_bool), ("dimensions", c_int), ("normalize", c_bool), ("truncation_side", c_int),
                ("plain_text", c_bool), ("role", c_int64)]


class ZeroShotOptions(_Sized):
    _fields_ = [("size", c_size_t), ("label_count", c_int), ("labels", POINTER(c_char_p)), ("hypothesis", c_char_p),
                ("multi_label", c_bool)]


class SummaryOptions(_Sized):
    _fields_ = [("size", c_size_t), ("sentence_count", c_int64), ("novelty", c_double)]


class Ranked(Structure):
    _fields_ = [("index", c_size_t), ("score", c_float)]


class Target(_Sized):
    _fields_ = [("size", c_size_t), ("name", c_char_p), ("integers", c_void_p), ("numbers", c_void_p)]


class TrainBatch(_Sized):
    _fields_ = [("size", c_size_t), ("batch", c_int64), ("length", c_int64), ("bounds", c_void_p), ("input_ids", c_void_p),
                ("attention_mask", c_void_p), ("token_type_ids", c_void_p), ("position_ids", c_void_p), ("rows", c_void_p),
                ("target_count", c_int), ("targets", POINTER(Target)), ("scale", c_float), ("seed", c_int32 * 2)]


class TrainUpdate(_Sized):
    _fields_ = [("size", c_size_t), ("step", c_int32), ("rate", c_float), ("clip", c_float)]


class TrainTensor(_Sized):
    _fields_ = [("size", c_size_t), ("name", c_char_p), ("kind", c_int64), ("rank", c_int64), ("shape", c_int64 * 6),
                ("count", c_int64)]


# --- The library: the one that BERTC_LIBRARY names, else the package's own, else the system's.


def _open() -> ctypes.CDLL:
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib", "libbertc.so")
    named = os.environ.get("BERTC_LIBRARY")
    path = named or (here if os.path.exists(here) else ctypes.util.find_library("bertc") or "libbertc.so")
    try:
        return ctypes.CDLL(path)
    except OSError as e:
        raise ImportError(f"libbertc can't be loaded: {e} (install it, or name it in BERTC_LIBRARY)") from None


_FUNCTIONS: List[Tuple[str, Any, Sequence[Any]]] = [
    ("bertc_version", c_char_p, []),
    ("bertc_cpu_count", c_int, []),
    ("bertc_load", c_void_p, [c_char_p, c_void_p]),
    ("bertc_unload", None, [c_void_p]),
    ("bertc_model_json", c_char_p, [c_void_p]),
    ("bertc_model_describe", c_bool, [c_void_p, c_void_p, c_void_p]),
    ("bertc_label", c_char_p, [c_void_p, c_int]),
    ("bertc_prompt", c_char_p, [c_void_p, c_int, POINTER(c_char_p)]),
    ("bertc_open", c_void_p, [c_void_p, c_void_p, c_void_p]),
    ("bertc_close", None, [c_void_p]),
    ("bertc_text_tokens", c_bool, [c_void_p, c_void_p, c_void_p, POINTER(POINTER(Token)), POINTER(c_size_t), c_void_p]),
    ("bertc_token_text", c_char_p, [c_void_p, c_int32]),
    ("bertc_answer_texts", c_bool, [c_void_p, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p]),
    ("bertc_embed_texts", c_bool, [c_void_p, c_void_p, c_size_t, c_void_p, c_void_p, c_int64, c_void_p]),
    ("bertc_result_json", c_size_t, [c_void_p, c_void_p, c_char_p, c_size_t]),
    ("bertc_maxsim", c_float, [c_void_p, c_size_t, c_void_p, c_size_t, c_size_t]),
    ("bertc_zero_shot", c_bool, [c_void_p, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p]),
    ("bertc_rank", c_bool, [c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p]),
    ("bertc_summarize", c_bool, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    ("bertc_trainer_open", c_void_p, [c_void_p, c_void_p, c_void_p]),
    ("bertc_trainer_close", None, [c_void_p]),
    ("bertc_model_trains", c_bool, [c_void_p]),
    ("bertc_trainer_trim", c_bool, [c_void_p, c_void_p]),
    ("bertc_trainer_session", c_void_p, [c_void_p]),
    ("bertc_target_describe", c_char_p, [c_void_p, c_int, c_char_p, POINTER(c_int64), POINTER(c_bool)]),
    ("bertc_trainer_gradients", c_bool, [c_void_p, c_void_p, c_bool, POINTER(c_float), c_void_p]),
    ("bertc_trainer_update", c_bool, [c_void_p, c_void_p, POINTER(c_float), c_void_p]),
    ("bertc_trainer_forward", c_bool, [c_void_p, c_void_p, c_void_p, c_void_p, POINTER(c_float), c_void_p]),
    ("bertc_trainer_fits", c_bool, [c_void_p, c_int64, c_int64, c_int64]),
    ("bertc_trainer_tensor_count", c_int, [c_void_p]),
    ("bertc_trainer_tensor_describe", c_bool, [c_void_p, c_int, c_void_p, c_void_p]),
    ("bertc_trainer_tensor_find", c_int, [c_void_p, c_char_p]),
    ("bertc_trainer_tensor_read", c_bool, [c_void_p, c_int, c_void_p, c_void_p]),
    ("bertc_trainer_tensor_write", c_bool, [c_void_p, c_int, c_void_p, c_void_p]),
    ("bertc_trainer_gradient_memory", c_void_p, [c_void_p, POINTER(c_int64)]),
    ("bertc_trainer_save", c_bool, [c_void_p, c_char_p, c_int, c_void_p]),
    ("bertc_trainer_load", c_bool, [c_void_p, c_char_p, c_int, c_void_p]),
]

native = _open()
for _name, _result, _arguments in _FUNCTIONS:
    try:
        _function = getattr(native, _name)
    except AttributeError:
        raise ImportError(f"this libbertc has no {_name}: it is of another version than this package") from None
    _function.restype, _function.argtypes = _result, _arguments


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function whose last argument is a bertc_error; what fails raises Error with its message."""
    error = _Error()
    value = function(*arguments, byref(error))
    if not value:
        raise Error(error.message.decode("utf-8", "replace"))
    return value


def version() -> str:
    """The version of libbertc."""
    return native.bertc_version().decode()


def cpu_count() -> int:
    """CPUs that this process may use (affinity, control groups)."""
    return native.bertc_cpu_count()


def utf8(text: str) -> bytes:
    """A text's bytes. Lone surrogates become bytes that are no UTF-8, which libbertc reads as U+FFFD."""
    if not isinstance(text, str):
        raise TypeError(f"a text is a str, not {type(text).__name__}")
    return text.encode("utf-8", "surrogatepass")


def optional_utf8(text: Optional[str]) -> Optional[bytes]:
    return None if text is None else utf8(text)

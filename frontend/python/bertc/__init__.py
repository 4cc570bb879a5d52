"""BERT-family encoders compiled to native code.

``Model("m.so")`` answers texts with an artefact of ``bertc compile``; ``compile`` makes one of a Hugging Face folder;
``train`` fine-tunes a folder; ``Trainer`` learns inside an application. Only numpy is needed.
"""

from .command import CommandError, command, compile, evaluate, train
from .binding import Error, cpu_count, version
from .model import Model, ModelInfo
from .trainer import Trainer

__all__ = ["CommandError", "Error", "Model", "ModelInfo", "Trainer", "command", "compile", "cpu_count", "evaluate", "train",
           "version"]
__version__ = version()

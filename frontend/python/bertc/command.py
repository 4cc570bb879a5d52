"""The command `bertc` from Python: compile, train and evaluate folders."""

import json
import os
import shutil
import subprocess
import tempfile
from typing import Any, Callable, Dict, List, Optional, Sequence, Union

from .binding import Error

PathLike = Union[str, "os.PathLike[str]"]


class CommandError(Error):
    """The command failed: what it said, and its exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def command() -> str:
    """The program: the one that BERTC names, else the package's own, else the one on PATH."""
    own = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "bertc")
    found = os.environ.get("BERTC") or (own if os.path.exists(own) else shutil.which("bertc"))
    if not found:
        raise Error("the program bertc is not there (install it, or name it in BERTC)")
    return found


def _arguments(options: Dict[str, Any]) -> List[str]:
    """seq=[128, 512], no_shuffle=True: --seq 128,512 --no-shuffle. None and False are left out."""
    out: List[str] = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        out.append("--" + name.replace("_", "-"))
        if isinstance(value, (list, tuple)):
            value = ",".join(str(v) for v in value)
        if value is not True:
            out.append(os.fspath(value) if isinstance(value, os.PathLike) else str(value))
    return out


def _message(said: str) -> str:
    errors = [line[len("bertc: error: "):] for line in said.splitlines() if line.startswith("bertc: error: ")]
    return "\n".join(errors) or said.strip() or "bertc failed"


def _run(arguments: Sequence[str], said: Optional[Callable[[str], None]] = None) -> str:
    """Runs the command and returns what it prints; ``said`` gets each line as it comes."""
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen([command(), *arguments], stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL,
                              text=True, encoding="utf-8", errors="replace") as process:
            assert process.stdout
            lines = []
            try:
                for line in process.stdout:
                    lines.append(line)
                    if said:
                        said(line.rstrip("\n"))
            except BaseException:
                process.terminate()
                raise
        errors.seek(0)
        if process.returncode:
            raise CommandError(_message(errors.read().decode("utf-8", "replace")), process.returncode)
    return "".join(lines)


def compile(folder: PathLike, output: Optional[PathLike] = None, **options: Any) -> str:  # noqa: A001
    """Compiles a checkpoint and returns the artefact's path.

    folder: of Hugging Face, or a file of weights with its config beside it. output: FOLDER.so where nothing else is said.
    Options are those of ``bertc compile``: ``compile("bert/", seq=[128, 512], dtype="int8", mcpu="native")``.
    """
    path = os.fspath(folder)
    to = os.fspath(output) if output is not None else path.rstrip("/") + ".so"
    _run(["compile", path, "-o", to, *_arguments(options)])
    return to


def train(folder: PathLike, output: PathLike, *, task: str, train: PathLike, dev: Optional[PathLike] = None,
          said: Optional[Callable[[str], None]] = None, **options: Any) -> List[Dict[str, Any]]:
    """Fine-tunes a folder and writes another; returns the lines of its log.jsonl, one for each step and each epoch.

    Options are those of ``bertc train``, under Transformers' names: ``learning_rate=2e-5, num_train_epochs=2``. said: gets each line
    that the command prints, one for each epoch.
    """
    _run(["train", os.fspath(folder), "--task", task, "--train", os.fspath(train), "-o", os.fspath(output),
          *_arguments({"dev": dev, **options})], said)
    with open(os.path.join(os.fspath(output), "log.jsonl"), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def evaluate(model: PathLike, data: PathLike, **options: Any) -> Dict[str, Any]:
    """The metrics of a folder or an artefact on labelled data, as ``bertc evaluate --json`` prints them."""
    return json.loads(_run(["evaluate", os.fspath(model), "--data", os.fspath(data), "--json", *_arguments(options)]))

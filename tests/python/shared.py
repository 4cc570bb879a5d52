"""What the tests of the package share: folders, models compiled once, and parts that are left out by name."""

import atexit
import json
import os
import shutil
import tempfile
import unittest

import bertc

SOURCE, SHARED = os.environ["SOURCE"], os.environ["SHARED"]
SENTIMENT = os.path.join(SOURCE, "examples/models/mini-sst2")
ANSWERS = os.path.join(SOURCE, "tests/models/answers")
WORK = tempfile.mkdtemp(prefix="bertc-python-")
atexit.register(shutil.rmtree, WORK, ignore_errors=True)
_made = {}


def skip(kind, text):
    """Leaves a test out, as skip_part of tests/cli/lib.sh does."""
    if kind in os.environ.get("BERTC_REQUIRE", "").split(","):
        raise AssertionError(f"BERTC_REQUIRE has {kind}, and it is not here: {text}")
    print(f"skipped, no {kind}: {os.environ['CASE']}: {text}")
    if os.environ.get("BERTC_SKIPS"):
        with open(os.environ["BERTC_SKIPS"], "a") as f:
            f.write(f"{kind}\t{os.environ['CASE']}: {text}\n")
    raise unittest.SkipTest(text)


def shared(*parts):
    """A path in the shared folder; the test is left out where it is missing."""
    path = os.path.join(SHARED, *parts)
    if not os.path.exists(path):
        skip("shared", os.path.join(*parts))
    return path


def model(folder, **options):
    """The folder's model, compiled once."""
    key = (folder, tuple(sorted(options.items())))
    if key not in _made:
        options = {"seq": "32,128", "mcpu": "native", "optimise": 0, **options}
        _made[key] = bertc.Model(bertc.compile(folder, os.path.join(WORK, f"{len(_made)}.so"), **options), threads=2)
    return _made[key]


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)

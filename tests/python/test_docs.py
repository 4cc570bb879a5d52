"""Each Python block of docs/python.md runs as it stands."""

import os
import re
import unittest

from shared import SHARED, SOURCE, WORK, skip

import bertc


class Docs(unittest.TestCase):
    def test_blocks(self):
        here = os.getcwd()
        os.chdir(WORK)
        self.addCleanup(os.chdir, here)
        os.symlink(os.path.join(SOURCE, "examples"), "examples")
        for name in ("ner", "qa", "sts"):
            folder = os.path.join(SHARED, "models", "small-" + name)
            if os.path.exists(folder):
                bertc.compile(folder, name + ".so", mcpu="native", seq=128, optimise=0)
        with open(os.path.join(SOURCE, "docs/python.md"), encoding="utf-8") as f:
            blocks = re.findall(r"```python\n(.*?)```", f.read(), re.S)
        self.assertGreater(len(blocks), 3)
        names = {}
        for block in blocks:
            if "ner.so" in block and not os.path.exists("ner.so"):
                continue
            exec(compile(block, "docs/python.md", "exec"), names)  # noqa: S102
        self.assertEqual(names["model"].classify("This movie was amazing!")[0]["label"], "positive")
        if not os.path.exists("ner.so"):
            skip("shared", "models/small-ner, small-qa, small-sts: a block of docs/python.md")


if __name__ == "__main__":
    unittest.main()

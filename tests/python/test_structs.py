"""The structs of bertc.binding lie as the headers have them, by a C program that prints its sizes and offsets."""

import ctypes
import os
import re
import subprocess
import unittest

from shared import SOURCE, WORK, skip

from bertc import binding

NAMES = {"ModelInfoStruct": "bertc_model_info", "SessionOptions": "bertc_session_options", "Word": "bertc_word",
         "Text": "bertc_text", "Token": "bertc_token", "Score": "bertc_score", "Answer": "bertc_answer",
         "Result": "bertc_result", "TextOptions": "bertc_text_options", "ZeroShotOptions": "bertc_zero_shot_options",
         "SummaryOptions": "bertc_summary_options", "Ranked": "bertc_ranked", "Target": "bertc_target",
         "TrainBatch": "bertc_train_batch", "TrainUpdate": "bertc_train_update", "TrainTensor": "bertc_train_tensor"}

# What the package has no use for, and why.
UNBOUND = {
    "another function does it": ["bertc_load_with", "bertc_tokenize", "bertc_tokenize_with", "bertc_trainer_step"],
    "artefacts in memory come from a compiler in the same process": ["bertc_load_memory"],
    "bertc_model_json says it": ["bertc_level", "bertc_output_bytes", "bertc_output_name", "bertc_output_reads_first"],
    "the package runs texts, not tensors": ["bertc_run"],
    "bertc_rank and bertc_zero_shot do it": ["bertc_entailment_label", "bertc_maxsim_all"],
    "a trainer's tensors take their place": ["bertc_parameter_count", "bertc_parameter_describe", "bertc_parameter_read",
                                             "bertc_parameter_write"],
    "a tokenizer without a model is for programs without one": ["bertc_tokenizer_close", "bertc_tokenizer_encode",
                                                                "bertc_tokenizer_encode_with", "bertc_tokenizer_open",
                                                                "bertc_tokenizer_text"],
    "Python's lock would be taken while layers are computed": ["bertc_trainer_gradient_piece", "bertc_trainer_on_gradients"],
}


class Structs(unittest.TestCase):
    def test_layout(self):
        lines, want = [], []
        for name, c_name in NAMES.items():
            struct = getattr(binding, name)
            want.append(f"{c_name} {ctypes.sizeof(struct)}")
            lines.append(f'printf("{c_name} %zu\\n", sizeof({c_name}));')
            for field, _ in struct._fields_:
                want.append(f"{c_name}.{field} {getattr(struct, field).offset} {getattr(struct, field).size}")
                lines.append(f'printf("{c_name}.{field} %zu %zu\\n", offsetof({c_name}, {field}), sizeof((({c_name} *)0)->{field}));')
        source, program = os.path.join(WORK, "structs.c"), os.path.join(WORK, "structs")
        with open(source, "w") as f:
            f.write("#include <bertc_train.h>\n#include <stdio.h>\nint main(void) {\n" + "\n".join(lines) + "\n}\n")
        try:
            subprocess.run(["cc", "-I" + os.path.join(SOURCE, "runtime"), source, "-o", program], check=True)
        except FileNotFoundError:
            skip("tools", "cc")
        self.assertEqual(subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines(), want)

    def test_every_struct_is_held(self):
        """Each struct of the module is in the table above, and each field of the header's is in the struct."""
        mine = [n for n, v in vars(binding).items() if isinstance(v, type) and issubclass(v, ctypes.Structure) and
                not n.startswith("_") and n != "Structure"]
        self.assertEqual(sorted(mine), sorted(NAMES))
        text = ""
        for header in ("bertc.h", "bertc_text.h", "bertc_train.h"):
            with open(os.path.join(SOURCE, "runtime", header)) as f:
                text += re.sub(r"//.*", "", f.read())
        for name, c_name in NAMES.items():
            body = re.search(r"typedef struct " + c_name + r" \{(.*?)\} " + c_name + ";", text, re.S).group(1)
            fields = []
            for one in body.split(";"):
                words = one.replace("*", " ").split(",")
                fields += [re.sub(r"\[.*", "", w.split()[-1]) for w in words if w.strip()]
            self.assertEqual([f for f, _ in getattr(binding, name)._fields_], fields, c_name)

    def test_every_function_is_bound(self):
        """Each public function is bound with as many arguments as it has, or left out with a reason above."""
        text = ""
        for header in ("bertc_base.h", "bertc.h", "bertc_task.h", "bertc_text.h", "bertc_train.h"):
            with open(os.path.join(SOURCE, "runtime", header)) as f:
                text += re.sub(r"//.*", "", f.read())
        public = {}
        for name, arguments in re.findall(r"BERTC_API\b[^;(]*?\b(bertc_\w+)\(((?:[^()]|\([^()]*\))*)\);", text):
            flat = re.sub(r"\([^()]*\)", "", arguments).strip()
            public[name] = 0 if flat == "void" else flat.count(",") + 1
        self.assertEqual(len(public), text.count("BERTC_API ") - text.count("define BERTC_API "))
        left = [name for names in UNBOUND.values() for name in names]
        bound = {name: len(arguments) for name, _, arguments in binding._FUNCTIONS}
        self.assertEqual(sorted([*bound, *left]), sorted(public))
        self.assertEqual(bound, {name: public[name] for name in bound})


if __name__ == "__main__":
    unittest.main()

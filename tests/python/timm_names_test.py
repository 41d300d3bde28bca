# SPDX-License-Identifier: Apache-2.0
"""The safetensors package finds timm's tensors in the weights that we publish: `timm_names_test.py WRITER`.

Names and shapes are those of tests/learn/timm_vit/names.tsv (tests/learn/make_timm_vit.py).
"""
import collections
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
from safetensors import safe_open

WRITER = sys.argv.pop()
NAMES = pathlib.Path(__file__).resolve().parents[1] / "learn/timm_vit/names.tsv"


def timm_shapes():
    """{model: {name: shape}}"""
    shapes = collections.defaultdict(dict)
    for line in NAMES.read_text().splitlines():
        if not line.startswith("#"):
            model, name, shape = line.split("\t")
            shapes[model.removesuffix("_patch16_224")][name] = tuple(int(side) for side in shape.split("x"))
    return shapes


class Timm(unittest.TestCase):
    def test_names_and_shapes_are_those_of_the_published_models(self):
        expected = timm_shapes()
        self.assertEqual(list(expected), ["vit_tiny", "vit_small", "vit_base"])
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([WRITER, folder], check=True)
            for model, shapes in expected.items():
                with self.subTest(model), safe_open(f"{folder}/{model}/weights.safetensors", framework="numpy") as weights:
                    self.assertEqual(set(weights.keys()), set(shapes))
                    self.assertEqual({name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}, shapes)
                    self.assertEqual({weights.get_slice(name).get_dtype() for name in weights.keys()}, {"F32"})
                    self.assertTrue(np.isfinite(weights.get_tensor("blocks.11.mlp.fc2.weight")).all())


if __name__ == "__main__":
    unittest.main(verbosity=2)

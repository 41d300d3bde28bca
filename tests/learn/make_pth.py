#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes files in the format of torch.save without PyTorch: zip with data.pkl and data/N.

make_pth.py OUT.pth KIND; KIND: plain, wrapped, code, reach, big_endian, deep. Values of tensor
"weight" are k / 8 in the shape (4, 3), transposed in storage; "steps" is the int64 7.
"""
import argparse
import collections
import io
import pickle
import struct
import sys
import types
import zipfile

torch = types.ModuleType("torch")
utils = types.ModuleType("torch._utils")
sys.modules["torch"], sys.modules["torch._utils"] = torch, utils


def _rebuild_tensor_v2(*arguments):
    raise RuntimeError("only written, never called")


_rebuild_tensor_v2.__module__ = "torch._utils"
_rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
utils._rebuild_tensor_v2 = _rebuild_tensor_v2
for name in ("FloatStorage", "LongStorage"):
    setattr(torch, name, type(name, (), {"__module__": "torch"}))


class Storage:
    def __init__(self, kind, key, data, count):
        self.kind, self.key, self.data, self.count = kind, key, data, count


class Tensor:
    def __init__(self, storage, offset, size, stride):
        self.arguments = (storage, offset, size, stride, False, collections.OrderedDict())

    def __reduce__(self):
        return _rebuild_tensor_v2, self.arguments


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            return ("storage", getattr(torch, value.kind), value.key, "cpu", value.count)
        return None


class Code:
    def __reduce__(self):
        import os
        return os.system, ("touch executed",)


def main(out, kind):
    values = [(r + 4 * c) for c in range(3) for r in range(4)]  # column-major storage of (4, 3)
    weight = Storage("FloatStorage", "0", struct.pack("<12f", *[v / 8 for v in values]), 12)
    steps = Storage("LongStorage", "1", struct.pack("<q", 7), 1)
    state = collections.OrderedDict(
        [("weight", Tensor(weight, 0, (4, 3), (1, 4))), ("steps", Tensor(steps, 0, (), ()))])
    state._metadata = collections.OrderedDict([("", {"version": 1})])
    root = state
    if kind == "wrapped":
        root = {"model": state, "epoch": 3, "lr": 0.5, "args": argparse.Namespace(lr=0.1, names=["a"])}
    elif kind == "code":
        root = {"model": state, "extra": Code()}
    elif kind == "reach":
        state["weight"] = Tensor(weight, 4, (4, 3), (1, 4))
    elif kind == "deep":
        for _ in range(100):
            root = {"model": root}
    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump(root)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", buffer.getvalue())
        archive.writestr("archive/byteorder", "big" if kind == "big_endian" else "little")
        for storage in (weight, steps):
            archive.writestr("archive/data/" + storage.key, storage.data)
        archive.writestr("archive/version", "3\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

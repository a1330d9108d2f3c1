"""Reads a model folder without MXNet: the operators in order, and the arrays by name."""
import ast
import json
import struct

import numpy as np

KINDS = {0: np.float32, 1: np.float64, 2: np.float16}


def parameters(path):
    """The arrays of a .params file in the form that MXNet writes since 1.0, as float32."""
    content = memoryview(path.read_bytes())
    at = 0

    def take(form):
        nonlocal at
        found = struct.unpack_from("<" + form, content, at)
        at += struct.calcsize("<" + form)
        return found

    magic, _, count = take("QQQ")
    if magic != 0x112:
        raise ValueError(f"{path}: no list of arrays")
    arrays = []
    for _ in range(count):
        kind, storage, rank = take("IiI")
        if kind != 0xF993FAC9 or storage != 0:
            raise ValueError(f"{path}: byte {at}: no dense array of version 2")
        shape = take(f"{rank}q")
        _, _, element = take("iii")
        dtype = np.dtype(KINDS[element])
        size = int(np.prod(shape)) * dtype.itemsize
        arrays.append(np.frombuffer(content[at:at + size], dtype).reshape(shape).astype(np.float32))
        at += size
    names = []
    for _ in range(take("Q")[0]):
        length = take("Q")[0]
        names.append(bytes(content[at:at + length]).decode())
        at += length
    return {name.split(":", 1)[-1]: array for name, array in zip(names, arrays)}


class Node:
    """An operator: its kind, name, attributes (values, not texts) and the names of its inputs."""

    def __init__(self, entry, names):
        self.op, self.name = entry["op"], entry["name"]
        self.inputs = [names[index] for index, *_ in entry["inputs"]]
        self.attributes = {key: value(text) for key, text in entry.get("attrs", {}).items()}

    def get(self, key, default):
        return self.attributes.get(key, default)


def value(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def load(folder):
    """(operators in order, arrays by name, the input's shape for one image)"""
    symbol = json.loads(next(folder.glob("*-symbol.json")).read_text())
    arrays = parameters(max(folder.glob("*-[0-9][0-9][0-9][0-9].params")))
    shape = json.loads((folder / "model-shapes.json").read_text())[0]["shape"][1:]
    names = [entry["name"] for entry in symbol["nodes"]]
    nodes = [Node(entry, names) for entry in symbol["nodes"] if entry["op"] != "null"]
    return nodes, arrays, shape

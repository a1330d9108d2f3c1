"""Writes a model folder of MXNet for ncnn (.param and .bin), as its converters leave a network: BatchNorm folded into
the convolution before it, ReLU into what computes its input.

    export_ncnn.py MODEL [FOLDER]     writes model.ncnn.param and model.ncnn.bin"""
import pathlib
import struct
import sys

import numpy as np

from oracle.inputs import model_files

FLOATS = struct.pack("<I", 0)  # what goes before weights in single precision


class Layer:
    def __init__(self, kind, name, inputs, parameters=(), content=()):
        self.kind, self.name, self.inputs = kind, name, list(inputs)
        self.parameters, self.content = dict(parameters), list(content)


def square(node, key, default):
    found = node.get(key, default)
    if isinstance(found, int):
        return found
    if found[0] != found[1]:
        raise ValueError(f"{node.name}: only square {key} is written")
    return found[0]


def factors(node, arrays):
    """Scale and shift that a BatchNorm amounts to."""
    _, gamma, beta, mean, variance = node.inputs
    gamma = np.ones_like(arrays[gamma]) if node.get("fix_gamma", True) else arrays[gamma]
    scale = gamma.astype(np.float64) / np.sqrt(arrays[variance].astype(np.float64) + node.get("eps", 1e-3))
    return scale, arrays[beta] - scale * arrays[mean]


def layers_of(nodes, arrays):
    """The layers in order; an operator that became part of another one has that one's output."""
    uses = {}
    for node in nodes:
        for name in node.inputs:
            uses[name] = uses.get(name, 0) + 1
    layers, made, stands_for = {}, {}, {"data": "data"}

    def add(node, kind, inputs, parameters=(), content=()):
        layers[node.name] = Layer(kind, node.name, [stands_for[name] for name in inputs], parameters, content)
        stands_for[node.name] = node.name

    for node in nodes:
        before = stands_for.get(node.inputs[0])
        single = uses[node.inputs[0]] == 1
        if node.op in ("_copy", "Cast"):
            stands_for[node.name] = before
        elif node.op == "Convolution":
            weight = arrays[node.inputs[1]].astype(np.float64)
            bias = np.zeros(weight.shape[0]) if node.get("no_bias",
                                                         False) else arrays[node.inputs[2]].astype(np.float64)
            made[node.name] = [weight, bias]
            add(node, "Convolution", node.inputs[:1], {
                0: weight.shape[0], 1: square(node, "kernel", 1), 3: square(node, "stride", 1),
                4: square(node, "pad", 0), 5: 1, 6: weight.size})
        elif node.op == "BatchNorm":
            scale, shift = factors(node, arrays)
            if before in made and single and 9 not in layers[before].parameters:
                weight, bias = made[before]
                made[before] = [weight * scale[:, None, None, None], bias * scale + shift]
                stands_for[node.name] = before
            else:
                add(node, "BatchNorm", node.inputs[:1], {0: scale.size, 1: 0.0},
                    [scale, np.zeros_like(scale), np.ones_like(scale), shift])
        elif node.op == "Activation":
            if before in made and single:
                layers[before].parameters[9] = 1
                stands_for[node.name] = before
            else:
                add(node, "ReLU", node.inputs)
        elif node.op == "Pooling":
            average, globally = node.get("pool_type", "max") == "avg", node.get("global_pool", False)
            full = node.get("pooling_convention", "valid") == "full"
            add(node, "Pooling", node.inputs, {0: int(average), 4: 1} if globally else {
                0: int(average), 1: square(node, "kernel", 1), 2: square(node, "stride", 1),
                3: square(node, "pad", 0), 5: 0 if full else 1, 6: 1})
        elif node.op == "elemwise_add":
            add(node, "BinaryOp", node.inputs, {0: 0})
        elif node.op == "Flatten":
            stands_for[node.name] = before  # global pooling leaves one row
        elif node.op == "FullyConnected":
            weight, bias = arrays[node.inputs[1]], arrays[node.inputs[2]]
            add(node, "InnerProduct", node.inputs[:1], {0: weight.shape[0], 1: 1, 2: weight.size},
                [FLOATS, weight, bias])
        elif node.op == "SoftmaxOutput":
            add(node, "Softmax", node.inputs[:1], {0: 0, 1: 1})
        else:
            raise ValueError(f"{node.name}: {node.op} is not written")
    for name, (weight, bias) in made.items():
        layers[name].content = [FLOATS, weight, bias]
    return list(layers.values())


def text(layers):
    """The .param file: a blob that several layers read is split before them."""
    readers = {}
    for layer in layers:
        for name in layer.inputs:
            readers.setdefault(name, []).append(layer)
    lines, blobs = [], 0

    def line(kind, name, inputs, outputs, parameters):
        nonlocal blobs
        blobs += len(outputs)
        words = [kind, name, str(len(inputs)), str(len(outputs)), *inputs, *outputs]
        lines.append(" ".join(words + [f"{key}={number}" for key, number in sorted(parameters.items())]))

    handed = {}
    for layer in [Layer("Input", "data", [])] + layers:
        count = len(readers.get(layer.name, []))
        inputs = [name if len(readers[name]) == 1 else handed[name].pop(0) for name in layer.inputs]
        line(layer.kind, layer.name, inputs, [layer.name], layer.parameters)
        if count > 1:
            handed[layer.name] = [f"{layer.name}_{index}" for index in range(count)]
            line("Split", f"split_{layer.name}", [layer.name], handed[layer.name], {})
    return "\n".join(["7767517", f"{len(lines)} {blobs}", *lines]) + "\n"


def main():
    folder = pathlib.Path(sys.argv[1])
    target = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else folder
    nodes, arrays, _ = model_files.load(folder)
    layers = layers_of(nodes, arrays)
    (target / "model.ncnn.param").write_text(text(layers))
    with open(target / "model.ncnn.bin", "wb") as file:
        for layer in layers:
            for part in layer.content:
                file.write(part if isinstance(part, bytes) else np.ascontiguousarray(part, np.float32).tobytes())


if __name__ == "__main__":
    main()

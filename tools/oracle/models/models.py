"""Compares how models are read and written with MXNet: symbols of all generations, parameters, ResNets of each depth.

MXNet makes the models; the Swift tests MXNetModelTests of this checkout, which must be built, read them and tell what
differs. With --goldens FOLDER a few small ones are written there instead: the tests' own.
"""
import argparse
import json
import os
import pathlib
import random
import struct
import subprocess
import sys

import mxnet as mx
import numpy as np

from oracle.comparison import Comparison, finish
from oracle.inputs.residual_nets import UNITS, network

SMALL = [20, 32, 44, 56, 110]
ROOT = pathlib.Path(__file__).resolve().parents[3]


def random_network(rng, shape):
    """A legal network of the operators of ResNets, with attributes left to their defaults here and there."""
    body = mx.sym.Variable("data")
    for _ in range(rng.randint(3, 12)):
        kind = rng.choice(["conv", "conv", "norm", "norm", "relu", "pool", "add", "add", "pass"])
        if kind == "conv":
            kernel = rng.choice([(1, 1), (3, 3), (5, 5), (3, 1), (2, 3)])
            options = {"kernel": kernel, "num_filter": rng.randint(1, 9)}
            if rng.random() < 0.7:
                options["pad"] = tuple(rng.randint(0, side // 2) for side in kernel)
            if rng.random() < 0.5:
                options["stride"] = (rng.randint(1, 2), rng.randint(1, 3))
            if rng.random() < 0.6:
                options["no_bias"] = rng.random() < 0.8
            next_body = mx.sym.Convolution(body, **options)
        elif kind == "norm":
            options = {}
            if rng.random() < 0.7:
                options["fix_gamma"] = rng.random() < 0.3
            if rng.random() < 0.7:
                options["eps"] = rng.choice([1e-5, 2e-5, 1e-3])
            next_body = mx.sym.BatchNorm(body, **options)
        elif kind == "relu":
            next_body = rng.choice([lambda: mx.sym.Activation(body, act_type="relu"), lambda: mx.sym.relu(body)])()
        elif kind == "pool":
            options = {"kernel": rng.choice([(2, 2), (3, 3), (3, 2)])}
            if rng.random() < 0.8:
                options["pool_type"] = rng.choice(["max", "avg"])
            if rng.random() < 0.7:
                options["stride"] = rng.choice([(2, 2), (1, 2)])
            if rng.random() < 0.4:
                options["pooling_convention"] = "full"
            elif rng.random() < 0.5:
                options["pad"] = (1, 1)
            if rng.random() < 0.3:
                options["count_include_pad"] = rng.random() < 0.5
            next_body = mx.sym.Pooling(body, **options)
        elif kind == "add":
            other = mx.sym.BatchNorm(body, fix_gamma=False)
            next_body = rng.choice([lambda: body + other, lambda: mx.sym.elemwise_add(other, body),
                                    lambda: mx.sym.broadcast_add(body, other),
                                    lambda: mx.sym.add_n(body, other, body)])()
        else:
            next_body = rng.choice([lambda: mx.sym.identity(body), lambda: mx.sym.Dropout(body, p=0.3),
                                    lambda: mx.sym.BlockGrad(body), lambda: mx.sym.Cast(body, dtype="float32")])()
        try:
            next_body.infer_shape(data=(1, *shape))
        except mx.MXNetError:
            continue
        body = next_body
    if rng.random() < 0.6:
        body = mx.sym.Pooling(body, global_pool=True, pool_type="avg", kernel=(7, 7))
    flat = rng.choice(["Flatten", "reshape", "none"])
    if flat == "Flatten":
        body = mx.sym.Flatten(body)
    elif flat == "reshape":
        body = mx.sym.reshape(body, shape=(0, -1))
    body = mx.sym.FullyConnected(body, num_hidden=rng.randint(2, 9), no_bias=rng.random() < 0.2, name="fc")
    head = rng.choice(["SoftmaxOutput", "softmax", "SoftmaxActivation", "LogisticRegressionOutput", "none"])
    if head == "SoftmaxOutput":
        return mx.sym.SoftmaxOutput(body, name="softmax")
    return body if head == "none" else getattr(mx.sym, head)(body)


def older(text, generation):
    """The same symbol as 0.9 (`attr`) or 0.8 (`param`, no moving statistics, inputs of two numbers) wrote it."""
    symbol = json.loads(text)
    if generation == "attr":
        for node in symbol["nodes"]:
            if "attrs" in node:
                node["attr"] = node.pop("attrs")
        symbol["attrs"] = {"mxnet_version": ["int", 905]}
        return json.dumps(symbol)
    gone = {entry[0] for node in symbol["nodes"] if node["op"] == "BatchNorm" for entry in node["inputs"][3:]}
    place = {old: new for new, old in enumerate(i for i in range(len(symbol["nodes"])) if i not in gone)}
    nodes = []
    for index, node in enumerate(symbol["nodes"]):
        if index in gone:
            continue
        variable = node["op"] == "null"
        nodes.append({"op": node["op"], "param": {} if variable else node.get("attrs", {}), "name": node["name"],
                      "inputs": [[place[i], out] for i, out, _ in node["inputs"] if i not in gone],
                      "backward_source_id": -1})
    return json.dumps({"nodes": nodes, "arg_nodes": [i for i, node in enumerate(nodes) if node["op"] == "null"],
                       "heads": [[place[i], out] for i, out, _ in symbol["heads"]]})


def save(path, arrays, generation):
    """V2 by MXNet; V0 and V1 by hand, which MXNet then reads."""
    if generation == 2:
        mx.nd.save(str(path), arrays)
        return
    out = struct.pack("<QQQ", 0x112, 0, len(arrays))
    for array in arrays.values():
        data = array.asnumpy()
        head = struct.pack("<I", 0xF993FAC8) if generation == 1 else b""
        sides = struct.pack(f"<{data.ndim}{'q' if generation == 1 else 'I'}", *data.shape)
        kind = {"float32": 0, "float64": 1, "float16": 2}[str(data.dtype)]
        out += head + struct.pack("<I", data.ndim) + sides + struct.pack("<iii", 1, 0, kind) + data.tobytes()
    out += struct.pack("<Q", len(arrays))
    for name in arrays:
        out += struct.pack("<Q", len(name.encode())) + name.encode()
    path.write_bytes(out)


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def expected(symbol, shape, arrays):
    """What a reader of the model has to find."""
    arguments, _, statistics = symbol.infer_shape(data=(1, *shape))
    names = dict(zip(symbol.list_arguments(), arguments))
    nodes = json.loads(symbol.tojson())["nodes"]
    fixed = [nodes[node["inputs"][1][0]]["name"] for node in nodes
             if node["op"] == "BatchNorm" and node.get("attrs", {}).get("fix_gamma", "True") == "True"]
    inside = symbol.get_internals()
    _, outputs, _ = inside.infer_shape(data=(1, *shape))
    parameters = {name: side for name, side in names.items() if name != "data" and not name.endswith("label")}
    parameters.update(zip(symbol.list_auxiliary_states(), statistics))
    return {"shape": shape, "parameters": parameters, "fixed": fixed,
            "outputs": {name[:-7]: side[1:] for name, side in zip(inside.list_outputs(), outputs)
                        if name.endswith("_output")},
            "values": {name.split(":")[-1]: fnv(array.asnumpy().astype("float32").tobytes())
                       for name, array in (arrays or {}).items()}}


def write_random(folder, seed, comparison):
    """One model in a folder of its own."""
    rng = random.Random(seed)
    shape = [rng.choice([1, 3]), rng.randint(9, 23), rng.randint(9, 23)]
    with mx.name.NameManager():
        symbol = random_network(rng, shape)
    found = expected(symbol, shape, None)
    kind = rng.choice(["float32", "float32", "float64", "float16"])
    numbers = np.random.default_rng(seed)
    states = set(symbol.list_auxiliary_states())
    arrays = {("aux:" if name in states else "arg:") + name: mx.nd.array(numbers.normal(size=side), dtype=kind)
              for name, side in found["parameters"].items()}
    text = symbol.tojson()
    generation = rng.choice(["attrs", "attr", "param"])
    if generation != "attrs":
        text = older(text, generation)
        loaded = mx.sym.load_json(text)
        same = (loaded.list_arguments() == symbol.list_arguments()
                and loaded.list_auxiliary_states() == symbol.list_auxiliary_states())
        comparison.check(f"{seed}: MXNet upgrades {generation}", same)
    folder.mkdir(parents=True)
    (folder / "m-symbol.json").write_text(text)
    path = folder / "m-0000.params"
    layout = rng.choice([0, 1, 2, 2])
    save(path, arrays, layout)
    loaded = mx.nd.load(str(path))
    comparison.check(f"{seed}: MXNet loads V{layout}", list(loaded) == list(arrays) and all(
        np.array_equal(loaded[name].asnumpy(), arrays[name].asnumpy()) for name in arrays))
    (folder / "model-shapes.json").write_text(json.dumps([{"name": "data", "shape": [1, *shape]}]))
    found = expected(symbol, shape, arrays)
    found["written"] = list(arrays) if kind == "float32" and layout == 2 else []
    (folder / "expected.json").write_text(json.dumps(found))


def write_zoo(folder, name):
    """A network of gluon's zoo, exported."""
    block = getattr(mx.gluon.model_zoo.vision, name)(classes=10)
    block.initialize()
    block.hybridize()
    block(mx.nd.zeros((1, 3, 64, 96)))
    folder.mkdir(parents=True)
    block.export(str(folder / "m"))
    (folder / "model-shapes.json").write_text(json.dumps([{"name": "data", "shape": [1, 3, 64, 96]}]))
    found = expected(mx.sym.load(str(folder / "m-symbol.json")), [3, 64, 96], None)
    (folder / "expected.json").write_text(json.dumps({**found, "written": []}))


def write_resnet(folder, depth, version, height):
    folder.mkdir(parents=True)
    with mx.name.NameManager():
        symbol = network(depth, version, (3, height, height), 257)
    (folder / "m-symbol.json").write_text(symbol.tojson())
    (folder / "resnet.json").write_text(
        json.dumps({"depth": depth, "version": version, "classes": 257, "shape": [3, height, height]}))


def compare(models, comparison):
    """Lets the test read the models: one line for each in results.txt, its name and what differs, if anything."""
    # The tests as they were built: a build in the middle of the comparisons could fail for reasons that are not theirs.
    tests = ROOT / ".build/debug/imrecPackageTests.xctest"
    if not comparison.check("the tests are built", tests.exists(),
                            "swift build --build-tests --traits MPI was not run"):
        return
    done = subprocess.run([tests, "--testing-library", "swift-testing", "--filter", "MXNetModelTests"], cwd=ROOT,
                          capture_output=True, text=True, env={**os.environ, "IMREC_MODELS": str(models)})
    results = models / "results.txt"
    told = (line for line in (done.stdout + done.stderr).splitlines() if "error" in line)
    if not comparison.check("the test runs", results.exists(), next(told, "no reason told")):
        return
    lines = dict(line.split("\t", 1) for line in results.read_text().splitlines())
    for folder in sorted(path for path in models.iterdir() if path.is_dir()):
        comparison.check(folder.name, lines.get(folder.name) == "", lines.get(folder.name, "not read"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", type=pathlib.Path)
    parser.add_argument("--goldens", type=pathlib.Path)
    parser.add_argument("--random", type=int, default=200)
    found, _ = parser.parse_known_args()
    models = (found.goldens or found.scratch / "models").resolve()
    with Comparison("models/older generations") as comparison:
        for seed in range(12 if found.goldens else found.random):
            write_random(models / f"random-{seed}", seed, comparison)
    if found.goldens:
        finish()
    with Comparison("models/made by MXNet") as comparison:
        for name in ["resnet18_v1", "resnet18_v2", "resnet50_v1", "resnet50_v2"]:
            write_zoo(models / name, name)
        for version in (1, 2):
            for depth in UNITS:
                write_resnet(models / f"resnet-v{version}-{depth}", depth, version, 224)
            for depth in SMALL:
                write_resnet(models / f"resnet-v{version}-{depth}-small", depth, version, 28)
            write_resnet(models / f"resnet-v{version}-18-middling", 18, version, 32)
        compare(models, comparison)
    finish()


if __name__ == "__main__":
    sys.exit(main())

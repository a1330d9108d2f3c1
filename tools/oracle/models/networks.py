"""imrec's networks against MXNet: the same probabilities for every depth, kind and file form, on every engine and every
kernel set of this processor."""
import functools
import json
import os
import pathlib
import re
import shutil
import struct

import cv2
import mxnet as mx
import numpy as np

from oracle.comparison import Comparison, arguments, finish, run, said
from oracle.inputs import residual_nets as nets

TOLERANCE = 2e-5
SIDE = 64  # of ImageNet's networks here: half an hour of arithmetic less, and no kind of layer less


class Network:
    """A network of MXNet, its model folder, pictures, and what MXNet says of them."""

    def __init__(self, folder, symbol, shape, count=3, seed=1, spread=2.0, branch=1.0):
        self.folder, self.symbol, self.shape = folder, symbol, shape
        self.arguments, self.auxiliary = nets.filled(symbol, shape, seed, spread=spread, branch=branch)
        self.images = nets.pictures(np.random.default_rng(1000 + seed), count, shape)
        self.text = None

    def expected(self):
        found = nets.forward(self.symbol, self.arguments, self.auxiliary, self.images)
        if json.loads(self.symbol.tojson())["nodes"][-1]["op"] == "FullyConnected":
            powers = np.exp(found - found.max(axis=1, keepdims=True))
            found = powers / powers.sum(axis=1, keepdims=True)
        return found

    def save(self):
        nets.save(self.folder / "model", self.symbol, self.arguments, self.auxiliary, self.shape, self.text)
        pictures = self.folder / "pictures"
        pictures.mkdir()
        for index, image in enumerate(self.images.astype(np.uint8)):
            cv2.imwrite(str(pictures / f"{index}.png"), image.transpose(1, 2, 0)[:, :, ::-1])
        return self


def engines(imrec):
    """The options that choose each engine, and each kernel set of the fast one that this processor has."""
    _, help_text, _ = run(imrec, "transform", "--help-hidden")
    sets = ["portable"]
    flags = re.findall(r"^flags\s*:(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    flags = set(flags[0].split()) if flags else set()
    sets += ["avx2"] if {"avx2", "fma"} <= flags else []
    sets += ["avx512"] if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags else []
    if b"--kernels" not in help_text:
        print("  this imrec cannot be told which kernels to use: only its choice is compared")
        sets = [None]
    choices = {f"fast, {name or 'its choice'}": ["--engine", "fast"] + (["--kernels", name] if name else [])
               for name in sets}
    return choices | {"reference": ["--engine", "reference"]}


def transformed(imrec, model, pictures, output, *options):
    """The probabilities of each picture by its path, or a sentence."""
    shutil.rmtree(output, ignore_errors=True)
    result = run(imrec, "transform", model, pictures, output, "--quiet", *options)
    if result[0] != 0:
        return said(result)
    return {os.fspath(path.relative_to(output))[:-len(".out")]: np.array(json.loads(path.read_text())["prediction"])
            for path in output.rglob("*.out")}


def compare(check, name, found, expected):
    """`found` from `transformed`; `expected`: an array by path."""
    if isinstance(found, str):
        return check(name, False, found)
    if found.keys() != expected.keys():
        return check(name, False, f"{len(found)} outputs for {len(expected)} pictures")
    if any(found[key].shape != expected[key].shape for key in expected):
        return check(name, False, "another number of classes")
    worst = max(np.abs(found[key] - expected[key]).max() for key in expected)
    top = all(found[key].argmax() == expected[key].argmax() for key in expected)
    Worst.difference = max(Worst.difference, worst)
    return check(name, worst <= TOLERANCE and top, f"differs by {worst:.3g}" + ("" if top else ", another top-1"))


class Worst:
    difference = 0.0


class Run:
    """One comparison script's run: the program, the engines, the scratch folder."""

    def __init__(self, found):
        self.imrec, self.scratch = found.imrec, found.scratch
        self.engines = engines(found.imrec)

    def network(self, what, make, batches=(None,)):
        """Compares one network with MXNet on every engine. `make`: gives a Network for a folder."""
        with Comparison(what) as comparison:
            folder = self.scratch / re.sub(r"\W+", "-", what)
            made = make(folder)
            answers = made.save().expected()
            spread = np.abs(answers - answers[:1]).max() if len(answers) > 1 else 1
            comparison.check("the pictures differ for MXNet", spread > 0.01, f"by {spread}")
            expected = {f"{index}.png": row for index, row in enumerate(answers)}
            for name, options in self.engines.items():
                for batch in batches:
                    more = ["--batch", str(batch)] if batch else []
                    found = transformed(
                        self.imrec, folder / "model", folder / "pictures", folder / "outputs", *options, *more)
                    compare(comparison.check, name + (f", batch {batch}" if batch else ""), found, expected)
            shutil.rmtree(folder)


def example(depth, version=2, shape=(3, SIDE, SIDE), classes=23, count=3, **more):
    symbol = nets.network(depth, version, shape, classes, **more)
    # With scores further apart the rounding of so many layers with random weights would show: MXNet in single precision
    # is then 4e-5 from itself in double precision.
    branch = nets.gentle_branch(depth, version, shape[1])
    spread = 2.0 if depth < (50 if branch == 1 else 200) else 0.3 if branch == 1 else 0.5
    return lambda folder: Network(folder, symbol, shape, count, seed=depth, spread=spread, branch=branch)


def zoo(name, classes=19):
    """A network of gluon's model zoo, exported: other names, other defaults, biases where the example has none, scores
    instead of probabilities."""
    def make(folder):
        from mxnet.gluon.model_zoo import vision
        net = vision.get_model(name, classes=classes)
        shape = (3, SIDE, SIDE)
        return Network(folder, net(mx.sym.Variable("data")), shape, seed=len(name), spread=0.3 if "50" in name else 2.0)
    return make


def unlike_convention(folder):
    """Channel counts that fill no vector, and a size that no stride divides."""
    plan = ([2, 1, 2], (19, 37, 61), 13, False)
    return Network(folder, nets.network(0, 2, (3, 97, 131), 17, plan=plan), (3, 97, 131), seed=3)


def grey(folder):
    return example(20, shape=(1, 28, 28), count=4)(folder)


def stored_gammas(folder):
    """Where gamma is fixed the file's may be anything."""
    made = example(18)(folder)
    kept = made.arguments["bn_data_gamma"].shape
    expected = made.expected()
    made.expected = lambda: expected
    made.arguments["bn_data_gamma"] = mx.nd.array(np.full(kept, 7.5))
    return made


def half(folder, casts):
    """Half-precision weights; the arithmetic is that of single precision, here and there."""
    made = example(18)(folder)
    for name, values in made.arguments.items():
        if name.endswith("_weight") or not casts:
            made.arguments[name] = values.astype("float16").astype("float32")
    if not casts:
        made.auxiliary = {name: values.astype("float16").astype("float32") for name, values in made.auxiliary.items()}
    expected = made.expected()
    made.expected = lambda: expected
    if casts:
        made.symbol = nets.network(18, 2, made.shape, 23, half=True)
    narrow = lambda name: name.endswith("_weight") or not casts
    made.arguments = {name: values.astype("float16") if narrow(name) else values
                      for name, values in made.arguments.items()}
    if not casts:
        made.auxiliary = {name: values.astype("float16") for name, values in made.auxiliary.items()}
    return made


def double(folder):
    made = example(20, shape=(3, 28, 28))(folder)
    expected = made.expected()
    made.expected = lambda: expected
    made.arguments = {name: values.astype("float64") for name, values in made.arguments.items()}
    return made


def legacy_symbol(folder, age):
    """The symbol as older versions of MXNet wrote it: 0.9 to 0.11 say `attr`; 0.8 and before say `param`, have inputs
    of two numbers and no variables for moving statistics."""
    made = example(18)(folder)
    symbol = json.loads(made.symbol.tojson())
    nodes = symbol["nodes"]
    if age == "0.8":
        auxiliary = {entry[0] for node in nodes if node["op"] == "BatchNorm" for entry in node["inputs"][3:]}
        place = {old: new for new, old in enumerate(index for index in range(len(nodes)) if index not in auxiliary)}
        kept = []
        for index in place:
            node = nodes[index]
            inputs = node["inputs"][:3] if node["op"] == "BatchNorm" else node["inputs"]
            kept.append({
                "op": {"elemwise_add": "_Plus"}.get(node["op"], node["op"]),
                "param": {} if node["op"] == "null" else node.get("attrs", {}), "name": node["name"],
                "inputs": [[place[entry[0]], entry[1]] for entry in inputs], "backward_source_id": -1})
        symbol = {"nodes": kept, "arg_nodes": [place[old] for old in symbol["arg_nodes"] if old in place],
                  "heads": [[place[symbol["heads"][0][0]], 0]]}
    else:
        for node in nodes:
            if "attrs" in node:
                node["attr"] = node.pop("attrs")
        symbol["attrs"] = {"mxnet_version": ["int", 1100]}
    made.text = json.dumps(symbol, indent=2)
    made.symbol = mx.sym.load_json(made.text)  # MXNet, too, is to read the old form
    return made


class LegacyParameters:
    """A network whose .params file has the form of an older MXNet: V0 has no magic, V1 no storage type."""

    def __init__(self, made, version):
        self.made, self.version = made, version

    def expected(self):
        return self.made.expected()

    def save(self):
        self.made.save()
        path = self.made.folder / "model" / "image-classification-0000.params"
        arrays = mx.nd.load(str(path))
        with open(path, "wb") as file:
            file.write(struct.pack("<QQQ", 0x112, 0, len(arrays)))
            for array in arrays.values():
                if self.version == 1:
                    file.write(struct.pack(f"<II{array.ndim}q", 0xF993FAC8, array.ndim, *array.shape))
                else:
                    file.write(struct.pack(f"<I{array.ndim}I", array.ndim, *array.shape))
                file.write(struct.pack("<iii", 1, 0, 0) + array.asnumpy().tobytes())
            file.write(struct.pack("<Q", len(arrays)))
            for name in arrays:
                file.write(struct.pack("<Q", len(name)) + name.encode())
        known = mx.nd.load(str(path))
        if any((known[name].asnumpy() != array.asnumpy()).any() for name, array in arrays.items()):
            raise ValueError("MXNet reads other numbers from the older form")
        return self


def poolings(folder):
    """Poolings that no residual network has: both conventions, margins that count and that do not."""
    body = mx.sym.Variable("data")
    for index, (kind, convention, kernel, stride, pad, include) in enumerate([
            ("avg", "valid", 3, 2, 1, True), ("avg", "full", 2, 2, 0, True), ("avg", "valid", 3, 1, 1, False),
            ("max", "full", 3, 2, 0, True), ("avg", "full", 3, 2, 1, True)]):
        body = mx.sym.Convolution(body, num_filter=10 + index, kernel=(3, 3), name=f"conv{index}")
        body = mx.sym.Pooling(
            body, kernel=(kernel, kernel), stride=(stride, stride), pad=(pad, pad), pool_type=kind,
            pooling_convention=convention, count_include_pad=include, name=f"pool{index}")
        body = mx.sym.Activation(nets.norm(body, f"bn{index}"), act_type="relu", name=f"relu{index}")
    body = mx.sym.FullyConnected(mx.sym.Flatten(body), num_hidden=9, name="fc1")
    return Network(folder, mx.sym.SoftmaxOutput(body, name="softmax"), (3, 101, 90), seed=5)


def reference_model(run_of, model, photos):
    """The trained network and MXNet's own probabilities for photographs."""
    with Comparison("networks: the trained model on photographs") as comparison:
        lines = [json.loads(line) for line in (model / "expected.jsonl").read_text().splitlines()]
        lines = [line for line in lines if (photos / line["image"]).exists()]
        listing = run_of.scratch / "photographs.lst"
        listing.write_text("".join(f"{index}\t{line['label']}\t{line['image']}\n" for index, line in enumerate(lines)))
        expected = {line["image"]: np.array(line["prediction"]) for line in lines}
        comparison.check("there are photographs", len(lines) > 0, f"none of {model / 'expected.jsonl'} in {photos}")
        for name, options in run_of.engines.items():
            found = transformed(run_of.imrec, model, listing, run_of.scratch / "photographs", "--root", photos,
                                *options)
            if isinstance(found, str):
                comparison.check(name, False, found)
                continue
            for image, probabilities in expected.items():
                one = {image: found[image]} if image in found else {}
                compare(comparison.check, f"{name}, {image}", one, {image: probabilities})


def main():
    found = arguments(__doc__)
    this = Run(found)
    # The deeper ones have no kind of layer that these have not; their minutes are for the long form.
    is_long = bool(os.environ.get("IMREC_LONG"))
    if not is_long:
        print("  networks of other depths than 18, 20 and 50 layers are compared with IMREC_LONG=1 only")
    for depth in (18, 34, 50, 101, 152, 200, 269) if is_long else (18, 50):
        this.network(f"networks: {depth} layers, pre-activation", example(depth))
    for depth in (20, 32, 44, 56, 110) if is_long else (20,):
        this.network(f"networks: {depth} layers, small images", example(depth, shape=(3, 28, 28)))
    for depth in (18, 50):
        this.network(f"networks: {depth} layers, first version", example(depth, version=1))
    this.network("networks: 20 layers, first version, small images", example(20, version=1, shape=(3, 28, 28)))
    this.network("networks: 32 pixels, the small stem before the large body", example(18, shape=(3, 32, 32)))
    for depth, version in ((18, 2), (50, 2), (18, 1)):
        this.network(
            f"networks: {depth} layers, version {version}, 97 x 131",
            example(depth, version, shape=(3, 97, 131), count=2))
    for name in ("resnet18_v1", "resnet50_v1", "resnet18_v2", "resnet50_v2"):
        this.network(f"networks: gluon's {name}", zoo(name))
    this.network("networks: a head named fc", example(18, head="fc"))
    this.network("networks: a head for several labels", example(18, multi_label=True))
    this.network("networks: grey images", grey)
    this.network("networks: odd channel counts", unlike_convention)
    this.network("networks: other poolings", poolings)
    this.network("networks: stored gammas that are fixed", stored_gammas)
    this.network("networks: half precision with casts", functools.partial(half, casts=True))
    this.network("networks: half-precision arrays", functools.partial(half, casts=False))
    this.network("networks: double-precision arrays", double)
    for age in ("0.8", "0.9"):
        this.network(f"networks: the symbol of MXNet {age}", functools.partial(legacy_symbol, age=age))
    for version in (0, 1):
        this.network(f"networks: parameters of form V{version}",
                     lambda folder: LegacyParameters(example(20, shape=(3, 28, 28))(folder), version))
    this.network("networks: batches of 1 to 9", example(18, count=9), batches=range(1, 10))
    model = os.environ.get("IMREC_REFERENCE_MODEL")
    if model and found.photos:
        reference_model(this, pathlib.Path(model), found.photos)
    else:
        print("  the trained model is not compared: set IMREC_REFERENCE_MODEL (its folder, with expected.jsonl) and "
              "IMREC_PHOTOS (the photographs)")
    print(f"  largest difference of a probability: {Worst.difference:.3g}")
    finish()


if __name__ == "__main__":
    main()

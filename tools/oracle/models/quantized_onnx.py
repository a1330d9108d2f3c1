"""What imrec quantize --onnx writes against ONNX Runtime: a sound graph in QDQ form, which gives the answers of imrec's
own int8 network.

    quantized_onnx.py --imrec PROGRAM --scratch FOLDER [--models FOLDER]

--models: model folders of MXNet (make_nets.py), compared too."""
import argparse
import collections
import json
import pathlib
import shutil

import numpy as np
import onnx
import onnxruntime

from oracle.comparison import Comparison, finish, run, said
from oracle.inputs import export_onnx, onnx_graphs
from oracle.models.onnx_models import DEVIATION, MEAN, pictures, probabilities, save_png, spread

# Both round the same numbers, but imrec keeps bfloat16 between layers, where a runtime has floats: a number beside the
# middle of two steps may become the other one, and deep networks of random weights make more of it.
TOLERANCE = 0.03
# How much farther from the network in floats the runtime may be than imrec is.
LOSS = 1.5


class Worst:
    difference = 0.0


def answers(path, tensors, batch, optimised=True):
    """ONNX Runtime's outputs, `batch` images at a time."""
    options = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
    # Without VNNI the sums of uint8 and int8 saturate, unless the runtime is told to be exact.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: tensors[i:i + batch]})[0] for i in range(0, len(tensors), batch)])


def judge(comparison, path, tensors, ours, floats):
    """`path`: what imrec wrote; `ours`, `floats`: the outputs of imrec's int8 network and of the one in floats."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    kinds = collections.Counter(node.op_type for node in model.graph.node)
    types = {array.name: array.data_type for array in model.graph.initializer}
    weights = sum(types.get(node.input[0]) == onnx.TensorProto.INT8 for node in model.graph.node
                  if node.op_type == "DequantizeLinear")
    layers = kinds["Conv"] + kinds["Gemm"]
    comparison.check("some layers are quantized", 0 < weights <= layers, f"{weights} of {layers}")
    comparison.check("any number of images", model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N")
    for batch, optimised in ((1, True), (3, True), (3, False)):
        found = answers(path, tensors, batch, optimised)
        what = f"{batch} at once" + ("" if optimised else ", not optimised")
        if found.shape != ours.shape:
            comparison.check(what, False, f"{found.shape} outputs, {ours.shape} expected")
            continue
        worst = np.abs(found - ours).max()
        Worst.difference = max(Worst.difference, worst)
        comparison.check(what, worst <= TOLERANCE, f"differs by {worst:.3g}")
        comparison.check(f"{what}: the same class", (found.argmax(axis=1) == ours.argmax(axis=1)).all())
        lost, expected = (np.sqrt(np.square(some - floats).mean()) for some in (found, ours))
        comparison.check(f"{what}: as near the floats", lost <= LOSS * expected + 1e-4,
                         f"off by {lost:.3g}, imrec by {expected:.3g}")


def compare(imrec, scratch, what, model, shape, normalized=True, scaled=True, preset=None, source=None):
    """`normalized`: whether pictures are to be prepared as torchvision does, else squashed, from 0 to 255. `preset`:
    what preprocess.json says. `source`: the model that imrec reads, if it is not `model` in a file."""
    with Comparison(f"quantized onnx: {what}") as comparison:
        folder = scratch / "model"
        shutil.rmtree(scratch, ignore_errors=True)
        (scratch / "pictures").mkdir(parents=True)
        folder.mkdir()
        _, height, width = shape
        short = (min(height, width) * 256 + 112) // 224
        grown = (short, short * width // height) if height <= width else (short * height // width, short)
        images = pictures(np.random.default_rng(len(what)), 12, *(grown if normalized else (height, width)))
        for index, image in enumerate(images):
            save_png(scratch / "pictures" / f"{index}.png", image)
        top, left = (images.shape[1] - height) // 2, (images.shape[2] - width) // 2
        cut = images[:, top:top + height, left:left + width].astype(np.float64)
        tensors = ((cut / 255 - MEAN) / DEVIATION if normalized else cut).transpose(0, 3, 1, 2).astype(np.float32)
        if scaled:
            spread(model, tensors)
        if preset:
            (folder / "preprocess.json").write_text(json.dumps(preset))
        path = folder / "network.onnx"
        onnx.save(model, path)
        written = scratch / "quantized.onnx"
        for command in (
                ("quantize", source or path, scratch / "int8", "--images", scratch / "pictures", "--onnx", written,
                 "--quiet"),
                ("transform", scratch / "int8", scratch / "pictures", scratch / "answers", "--quiet")):
            result = run(imrec, *command)
            if not comparison.check(command[0], result[0] == 0, said(result)):
                return
        ours = np.array([json.loads((scratch / "answers" / f"{index}.png.out").read_text())["prediction"]
                         for index in range(len(images))])
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        last = [node for node in model.graph.node if node.output[0] == model.graph.output[0].name][0]
        floats = probabilities(session, tensors, last.op_type in ("Softmax", "Sigmoid"))
        judge(comparison, written, tensors, ours, floats)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--imrec", type=pathlib.Path, required=True, help="the program under test")
    parser.add_argument("--scratch", type=pathlib.Path, required=True, help="a folder for what is made on the way")
    parser.add_argument("--models", type=pathlib.Path, help="model folders of MXNet")
    found = parser.parse_args()
    imrec, scratch = found.imrec.resolve(), found.scratch.resolve()
    small = (3, 64, 64)
    make = onnx_graphs.torchvision
    for depth in (18, 50):
        compare(imrec, scratch, f"{depth} layers", make(depth), small)
    compare(imrec, scratch, "BatchNorm folded, as PyTorch exports", make(50, folded=True, opset=17, batch=1), small)
    compare(imrec, scratch, "97 x 131", make(34, (3, 97, 131)), (3, 97, 131))
    compare(imrec, scratch, "other poolings and a sigmoid", onnx_graphs.odd(), (3, 61, 83))
    for folder in sorted(found.models.iterdir()) if found.models else []:
        _, _, shape = export_onnx.model_files.load(folder)
        compare(imrec, scratch, f"MXNet's {folder.name}", export_onnx.converted(folder), tuple(shape),
                normalized=False, scaled=False, source=folder)
    print(f"the largest difference is {Worst.difference:.2g}")
    finish()


if __name__ == "__main__":
    main()

"""imrec's reading of .onnx files against ONNX Runtime: the same probabilities for the forms that exporters write, with
each model's own preprocessing.

    onnx_models.py --imrec PROGRAM --scratch FOLDER [--models FOLDER]

--models: model folders of MXNet (make_nets.py), written as ONNX by export_onnx.py and compared, too."""
import argparse
import json
import pathlib
import shutil
import struct
import zlib

import numpy as np
import onnx
import onnxruntime

from oracle.comparison import Comparison, finish, run, said
from oracle.inputs import export_onnx, onnx_graphs

TOLERANCE = 2e-5
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def save_png(path, pixels):
    """(height, width, 3) bytes as a PNG."""
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
                     + chunk(b"IEND", b""))


def pictures(random, count, height, width):
    """Smooth blots, so that pictures differ in more than noise."""
    coarse = random.uniform(0, 255, (count, 5, 5, 3))
    rows, columns = np.linspace(0, 3.999, height), np.linspace(0, 3.999, width)
    r, c = rows.astype(int), columns.astype(int)
    fr, fc = (rows - r)[:, None, None], (columns - c)[None, :, None]
    upper = coarse[:, r][:, :, c] * (1 - fc) + coarse[:, r][:, :, c + 1] * fc
    lower = coarse[:, r + 1][:, :, c] * (1 - fc) + coarse[:, r + 1][:, :, c + 1] * fc
    return (upper * (1 - fr) + lower * fr + random.uniform(-20, 20, upper.shape)).clip(0, 255).astype(np.uint8)


def probabilities(session, tensors, gives_probabilities):
    found = np.concatenate([session.run(None, {session.get_inputs()[0].name: tensors[i:i + 1]})[0]
                            for i in range(len(tensors))])
    if gives_probabilities:
        return found
    powers = np.exp(found.astype(np.float64) - found.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def spread(model, tensors):
    """Scales the last layer's weights until the scores lie some units apart: else all probabilities would be 0 or 1."""
    layers = [node for node in model.graph.node if node.op_type in ("Gemm", "MatMul")]
    scores = [node for node in model.graph.node if node.op_type in ("Gemm", "MatMul")][-1].output[0]
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.append(onnx.helper.make_empty_tensor_value_info(scores))
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    found = np.concatenate([session.run(None, {session.get_inputs()[0].name: tensors[i:i + 1]})[0]
                            for i in range(len(tensors))])
    names = {layers[-1].input[1]} | {node.input[0] for node in model.graph.node
                                     if node.output[0] == layers[-1].input[1]}
    for array in model.graph.initializer:
        if array.name in names:
            values = onnx.numpy_helper.to_array(array)
            array.CopyFrom(onnx.numpy_helper.from_array((values * (1.5 / found.std())).astype(values.dtype),
                                                        array.name))


def compare(imrec, scratch, what, model, shape, normalized=True, scaled=True, preset=None):
    """`normalized`: whether pictures are to be prepared as torchvision does, else squashed, from 0 to 255. `preset`:
    what preprocess.json says."""
    with Comparison(f"onnx: {what}") as comparison:
        folder = scratch / "model"
        shutil.rmtree(scratch, ignore_errors=True)
        (scratch / "pictures").mkdir(parents=True)
        folder.mkdir()
        _, height, width = shape
        short = (min(height, width) * 256 + 112) // 224
        grown = (short, short * width // height) if height <= width else (short * height // width, short)
        random = np.random.default_rng(len(what))
        images = pictures(random, 5, *(grown if normalized else (height, width)))
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
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        last = [node for node in model.graph.node if node.output[0] == model.graph.output[0].name][0]
        expected = probabilities(session, tensors, last.op_type in ("Softmax", "Sigmoid"))
        comparison.check("the pictures differ for ONNX Runtime", np.abs(expected - expected[:1]).max() > 0.01)
        for engine in ("fast", "reference"):
            result = run(imrec, "transform", path, scratch / "pictures", scratch / engine, "--quiet", "--engine",
                         engine)
            if result[0] != 0:
                comparison.check(engine, False, said(result))
                continue
            found = np.array([
                json.loads((scratch / engine / f"{index}.png.out").read_text())["prediction"]
                for index in range(len(images))])
            worst = np.abs(found - expected).max() if found.shape == expected.shape else np.inf
            Worst.difference = max(Worst.difference, worst)
            same = worst <= TOLERANCE and (found.argmax(axis=1) == expected.argmax(axis=1)).all()
            comparison.check(engine, same, f"differs by {worst:.3g}")


class Worst:
    difference = 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--imrec", type=pathlib.Path, required=True, help="the program under test")
    parser.add_argument("--scratch", type=pathlib.Path, required=True, help="a folder for what is made on the way")
    parser.add_argument("--models", type=pathlib.Path, help="model folders of MXNet")
    found = parser.parse_args()
    imrec, scratch = found.imrec.resolve(), found.scratch.resolve()
    small = (3, 64, 64)
    make = onnx_graphs.torchvision
    for depth in onnx_graphs.PLANS:
        compare(imrec, scratch, f"{depth} layers", make(depth), small)
    compare(imrec, scratch, "BatchNorm folded, as PyTorch exports", make(50, folded=True, opset=17, batch=1), small)
    compare(imrec, scratch, "a mean, a product and a sum", make(50, kind="product", softmax=True), small)
    compare(imrec, scratch, "Reshape, weights as rows", make(18, kind="reshape", opset=11), small)
    compare(imrec, scratch, "half-precision arrays", make(18, half=True), small)
    compare(imrec, scratch, "224 x 224, full width", make(18, (3, 224, 224), 1000, width=64), (3, 224, 224))
    compare(imrec, scratch, "97 x 131", make(34, (3, 97, 131)), (3, 97, 131))
    compare(imrec, scratch, "other poolings and a sigmoid", onnx_graphs.odd(), (3, 61, 83))
    for folder in sorted(found.models.iterdir()) if found.models else []:
        _, _, shape = export_onnx.model_files.load(folder)
        model = export_onnx.converted(folder)
        # Those of the second version begin with a BatchNorm of the picture, which tells them; for the others a file
        # does.
        kinds = [node.op_type for node in model.graph.node[:2]]
        is_normalized = "BatchNormalization" in kinds and "Conv" not in kinds
        preset = None if is_normalized else {"mode": "squash", "shape": list(shape)}
        compare(imrec, scratch, f"MXNet's {folder.name}", model, tuple(shape), normalized=False, scaled=False,
                preset=preset)
    print(f"the largest difference is {Worst.difference:.2g}")
    finish()


if __name__ == "__main__":
    main()

"""Writes a model folder of MXNet as ONNX, operator by operator: nothing is folded, that is the runtime's work.

    export_onnx.py MODEL [MODEL.onnx]

The batch is left open. Where the folder holds expected.npz (make_nets.py), ONNX Runtime has to agree with it."""
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from oracle.inputs import model_files

OPSET = 13


def extent(node, key, default):
    found = node.get(key, default)
    return [found] * 2 if isinstance(found, int) else list(found)


def convolution(node):
    if node.get("num_group", 1) != 1 or extent(node, "dilate", 1) != [1, 1]:
        raise ValueError(f"{node.name}: groups and dilation are not written")
    return [helper.make_node(
        "Conv", node.inputs, [node.name], node.name, kernel_shape=extent(node, "kernel", 1),
        strides=extent(node, "stride", 1), pads=extent(node, "pad", 0) * 2)]


def batch_norm(node, arrays):
    if node.get("fix_gamma", True):
        arrays[node.inputs[1]] = np.ones_like(arrays[node.inputs[1]])
    return [helper.make_node("BatchNormalization", node.inputs, [node.name], node.name, epsilon=node.get("eps", 1e-3))]


def pooling(node):
    average = node.get("pool_type", "max") == "avg"
    if node.get("global_pool", False):
        return [helper.make_node("GlobalAveragePool" if average else "GlobalMaxPool", node.inputs, [node.name],
                                 node.name)]
    counts = {"count_include_pad": 1} if average else {}
    return [helper.make_node(
        "AveragePool" if average else "MaxPool", node.inputs, [node.name], node.name,
        kernel_shape=extent(node, "kernel", 1), strides=extent(node, "stride", 1), pads=extent(node, "pad", 0) * 2,
        ceil_mode=int(node.get("pooling_convention", "valid") == "full"), **counts)]


def dense(node):
    return [helper.make_node("Gemm", node.inputs, [node.name], node.name, transB=1)]


def simple(op, inputs=1, **attributes):
    return lambda node: [helper.make_node(op, node.inputs[:inputs], [node.name], node.name, **attributes)]


def operator(node, arrays):
    if node.op == "BatchNorm":
        return batch_norm(node, arrays)
    written = {
        "Convolution": convolution, "Pooling": pooling, "FullyConnected": dense, "Activation": simple("Relu"),
        "elemwise_add": simple("Add", 2), "_copy": simple("Identity"), "Cast": simple("Identity"),
        "Flatten": simple("Flatten"), "SoftmaxOutput": simple("Softmax", axis=1),
        "LogisticRegressionOutput": simple("Sigmoid"),
    }
    if node.op not in written:
        raise ValueError(f"{node.name}: {node.op} is not written")
    return written[node.op](node)


def converted(folder):
    nodes, arrays, shape = model_files.load(folder)
    operators = [made for node in nodes for made in operator(node, arrays)]
    used = {name for made in operators for name in made.input}
    weights = [numpy_helper.from_array(array, name) for name, array in arrays.items() if name in used]
    classes = arrays[[node for node in nodes if node.op == "FullyConnected"][-1].inputs[1]].shape[0]
    graph = helper.make_graph(
        operators, "network", [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["N", *shape])],
        [helper.make_tensor_value_info(nodes[-1].name, TensorProto.FLOAT, ["N", classes])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="export_onnx")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def main():
    folder = pathlib.Path(sys.argv[1])
    path = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else folder / "model.onnx"
    onnx.save(converted(folder), path)
    expected = folder / "expected.npz"
    if not expected.exists():
        return
    known = np.load(expected)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    difference = np.abs(session.run(None, {"data": known["images"]})[0] - known["probabilities"]).max()
    print(f"{path}: probabilities differ from MXNet's by {difference:.2g} at most")
    if not difference <= 1e-5:
        sys.exit(1)


if __name__ == "__main__":
    main()

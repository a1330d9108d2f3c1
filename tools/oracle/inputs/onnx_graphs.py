"""Residual networks of random weights as ONNX, in several forms of the same."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PLANS = {18: ([2, 2, 2, 2], False), 34: ([3, 4, 6, 3], False), 50: ([3, 4, 6, 3], True), 101: ([3, 4, 23, 3], True)}


class Graph:
    """Collects nodes and arrays; every method returns the name of its output."""

    def __init__(self, shape, seed, half=False):
        self.shape, self.half = shape, half
        self.random = np.random.default_rng(seed)
        self.nodes, self.arrays = [], []

    def add(self, op, *inputs, **attributes):
        output = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], f"/{output}", **attributes))
        return output

    def array(self, values, name=None):
        name = name or f"array_{len(self.arrays)}"
        values = np.asarray(values)
        narrow = self.half and values.dtype == np.float32
        self.arrays.append(numpy_helper.from_array(values.astype(np.float16) if narrow else values, name))
        return self.add("Cast", name, to=TensorProto.FLOAT) if narrow else name

    def numbers(self, count, low, high):
        return self.random.uniform(low, high, count).astype(np.float32)

    def conv(self, body, inputs, outputs, kernel, stride=1, bias=False, **attributes):
        size = (outputs, inputs, kernel, kernel)
        weights = self.random.normal(0, np.sqrt(2 / (inputs * kernel * kernel)), size).astype(np.float32)
        more = [self.array(self.numbers(outputs, -0.2, 0.2))] if bias else []
        return self.add(
            "Conv", body, self.array(weights), *more, kernel_shape=[kernel] * 2, strides=[stride] * 2,
            pads=[kernel // 2] * 4, **attributes)

    def norm(self, body, channels, **attributes):
        ranges = ((0.5, 1.5), (-0.3, 0.3), (-0.3, 0.3), (0.5, 2))
        return self.add("BatchNormalization", body, *(self.array(self.numbers(channels, *ends)) for ends in ranges),
                        **attributes)

    def model(self, output, classes, opset, batch, ir=8):
        graph = helper.make_graph(
            self.nodes, "network", [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, *self.shape])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [batch, classes])], self.arrays)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        model.ir_version = ir
        onnx.checker.check_model(model, full_check=True)
        return model


def head(graph, body, channels, classes, kind):
    """What stands between the last planes and the scores; `kind`: by which operators."""
    weights = graph.random.normal(0, 0.1, (classes, channels)).astype(np.float32)
    bias = graph.numbers(classes, -0.5, 0.5)
    if kind == "product":
        row = graph.add("ReduceMean", body, graph.array(np.array([-2, -1])), keepdims=0)
        return graph.add("Add", graph.add("MatMul", row, graph.array(weights.T.copy())), graph.array(bias))
    if kind == "reshape":
        row = graph.add("Reshape", graph.add("GlobalAveragePool", body), graph.array(np.array([0, -1])))
        return graph.add("Gemm", row, graph.array(weights.T.copy()), graph.array(bias))
    row = graph.add("Flatten", graph.add("GlobalAveragePool", body), axis=1)
    return graph.add("Gemm", row, graph.array(weights), graph.array(bias), alpha=1.0, beta=1.0, transB=1)


def torchvision(depth, shape=(3, 64, 64), classes=23, seed=1, kind="torch", folded=False, softmax=False, width=16,
                half=False, opset=18, batch="N"):
    """As torchvision's models are exported: BatchNorm as it is, or folded into the convolutions' biases."""
    units, bottleneck = PLANS[depth]
    graph = Graph(shape, seed, half)

    def layer(body, inputs, outputs, kernel, stride=1):
        body = graph.conv(body, inputs, outputs, kernel, stride, bias=folded)
        return body if folded else graph.norm(body, outputs, epsilon=1e-5)

    body = graph.add("Relu", layer("input", shape[0], width, 7, 2))
    body = graph.add("MaxPool", body, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, ceil_mode=0)
    channels = width
    for stage, count in enumerate(units):
        inner = width << stage
        outer = inner * 4 if bottleneck else inner
        for unit in range(count):
            stride = 2 if stage > 0 and unit == 0 else 1
            if bottleneck:
                left = graph.add("Relu", layer(body, channels, inner, 1))
                left = graph.add("Relu", layer(left, inner, inner, 3, stride))
                left = layer(left, inner, outer, 1)
            else:
                left = graph.add("Relu", layer(body, channels, inner, 3, stride))
                left = layer(left, inner, outer, 3)
            right = layer(body, channels, outer, 1, stride) if channels != outer or stride > 1 else body
            body, channels = graph.add("Relu", graph.add("Add", left, right)), outer
    return finished(graph, body, channels, classes, kind, softmax, opset, batch)


def odd(shape=(3, 61, 83), classes=7, seed=2):
    """What ResNets of torchvision do not have: poolings that average, sums of an array's other name, Dropout, a
    sigmoid."""
    graph = Graph(shape, seed)
    body = graph.add("Relu", graph.conv("input", shape[0], 13, 3, dilations=[1, 1], group=1))
    body = graph.add("AveragePool", body, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    body = graph.add("Identity", graph.norm(body, 13, epsilon=2e-3))
    body = graph.add("AveragePool", body, kernel_shape=[2, 2], strides=[1, 1], pads=[1] * 4, count_include_pad=1)
    body = graph.add("MaxPool", body, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    body = graph.add("Dropout", graph.add("GlobalMaxPool", body))
    row = graph.add("Flatten", body)
    weights = graph.array(graph.random.normal(0, 0.3, (classes, 13)).astype(np.float32), "fc.weight")
    bias = graph.add("Identity", graph.array(graph.numbers(classes, -1, 1), "fc.bias"))
    scores = graph.add("Gemm", row, weights, bias, transB=1)
    return graph.model(graph.add("Sigmoid", scores), classes, 13, "N", ir=6)


def finished(graph, body, channels, classes, kind, softmax, opset, batch):
    scores = head(graph, body, channels, classes, kind)
    output = graph.add("Softmax", scores, axis=1) if softmax else scores
    return graph.model(output, classes, opset, batch)

"""Residual networks made by MXNet: the topologies of its image-classification example, filled with numbers that leave
no default in place, and saved as the model folder that the algorithm leaves behind."""
import json
import re

import mxnet as mx
import numpy as np

UNITS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3),
         200: (3, 24, 36, 3), 269: (3, 30, 48, 8)}


def stages(depth, height):
    """Units and filters of each stage, the stem's filters, and whether the units are bottlenecks."""
    if height <= 28:
        units = [(depth - 2) // 6] * 3
        return units, (16, 32, 64), 16, False
    wide = depth >= 50
    return list(UNITS[depth]), (256, 512, 1024, 2048) if wide else (64, 128, 256, 512), 64, wide


def convolution(data, name, filters, kernel, stride=1):
    return mx.sym.Convolution(data, num_filter=filters, kernel=(kernel, kernel), stride=(stride, stride),
                              pad=(kernel // 2, kernel // 2), no_bias=True, workspace=256, name=name)


def projection(data, name, filters, stride):
    """A unit's shortcut; the example gives it no `pad`."""
    return mx.sym.Convolution(data, num_filter=filters, kernel=(1, 1), stride=(stride, stride), no_bias=True,
                              workspace=256, name=name)


def norm(data, name, fix_gamma=False):
    return mx.sym.BatchNorm(data, fix_gamma=fix_gamma, eps=2e-5, momentum=0.9, name=name)


def relu(data, name):
    return mx.sym.Activation(data, act_type="relu", name=name)


def unit_v2(data, name, filters, stride, same, wide):
    first = relu(norm(data, name + "_bn1"), name + "_relu1")
    if wide:
        inner = convolution(first, name + "_conv1", filters // 4, 1)
        inner = convolution(relu(norm(inner, name + "_bn2"), name + "_relu2"), name + "_conv2", filters // 4, 3, stride)
        inner = convolution(relu(norm(inner, name + "_bn3"), name + "_relu3"), name + "_conv3", filters, 1)
    else:
        inner = convolution(first, name + "_conv1", filters, 3, stride)
        inner = convolution(relu(norm(inner, name + "_bn2"), name + "_relu2"), name + "_conv2", filters, 3)
    return inner + (data if same else projection(first, name + "_sc", filters, stride))


def unit_v1(data, name, filters, stride, same, wide):
    if wide:
        inner = relu(norm(convolution(data, name + "_conv1", filters // 4, 1, stride), name + "_bn1"), name + "_relu1")
        inner = relu(norm(convolution(inner, name + "_conv2", filters // 4, 3), name + "_bn2"), name + "_relu2")
        inner = norm(convolution(inner, name + "_conv3", filters, 1), name + "_bn3")
    else:
        inner = relu(norm(convolution(data, name + "_conv1", filters, 3, stride), name + "_bn1"), name + "_relu1")
        inner = norm(convolution(inner, name + "_conv2", filters, 3), name + "_bn2")
    short = data if same else norm(projection(data, name + "_conv1sc", filters, stride), name + "_sc")
    return relu(inner + short, name + "_relu3")


def features(depth, version, shape, half=False, plan=None):
    """All layers up to the flattened features.

    `half`: as the example builds its float16 network, with casts. `plan`: what `stages` gives, where it is to
    differ."""
    units, filters, stem, wide = plan or stages(depth, shape[1])
    body = mx.sym.Variable("data")
    body = mx.sym.Cast(body, dtype="float16") if half else mx.sym.identity(body, name="id")
    if version == 2:
        body = norm(body, "bn_data", fix_gamma=True)
    small = shape[1] <= 32
    body = convolution(body, "conv0", stem, 3 if small else 7, 1 if small else 2)
    if not small:
        body = relu(norm(body, "bn0"), "relu0")
        body = mx.sym.Pooling(body, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="max", name="pooling0")
    elif version == 1:
        body = norm(body, "bn0")
    unit = unit_v2 if version == 2 else unit_v1
    for stage, (count, width) in enumerate(zip(units, filters)):
        for index in range(count):
            stride = 2 if index == 0 and stage > 0 else 1
            body = unit(body, f"stage{stage + 1}_unit{index + 1}", width, stride, index > 0, wide)
    if version == 2:
        body = relu(norm(body, "bn1"), "relu1")
    body = mx.sym.Pooling(body, global_pool=True, kernel=(7, 7), pool_type="avg", name="pool1")
    return mx.sym.Flatten(body, name="flatten0")


def network(depth, version=2, shape=(3, 224, 224), classes=1000, head="fc1", half=False, multi_label=False, plan=None):
    """The symbol of a whole network, from `data` to probabilities."""
    body = mx.sym.FullyConnected(features(depth, version, shape, half, plan), num_hidden=classes, name=head)
    if half:
        body = mx.sym.Cast(body, dtype="float32")
    if multi_label:
        return mx.sym.LogisticRegressionOutput(body, name="softmax")
    return mx.sym.SoftmaxOutput(body, name="softmax")


def pictures(random, count, shape, side=5):
    """Pictures that differ as a whole, not only in their noise: 8-bit values as float32, (count, channels, height,
    width)."""
    channels, height, width = shape
    coarse = random.uniform(0, 255, (count, channels, side, side))
    rows = np.minimum(np.arange(height) * side // height, side - 1)
    columns = np.minimum(np.arange(width) * side // width, side - 1)
    smooth = coarse[:, :, rows][:, :, :, columns]
    strength = random.uniform(5, 60, (count, 1, 1, 1))
    noisy = smooth * random.uniform(0.3, 1, (count, channels, 1, 1)) + strength * random.standard_normal(smooth.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.float32)


def executor(symbol, arguments, auxiliary, batch, training=False):
    """The symbol bound to its parameters; `data` is to be set. What stores no parameter (labels) is zero.
    `training`: it can go back, too, as far as to `data`."""
    shapes, _, _ = symbol.infer_shape(data=batch)
    held = {name: arguments.get(name, mx.nd.zeros(shape)) for name, shape in zip(symbol.list_arguments(), shapes)}
    gradients = {"data": mx.nd.zeros(batch)} if training else None
    return symbol.bind(mx.cpu(), held, gradients, "write" if training else "null", aux_states=auxiliary)


def forward(symbol, arguments, auxiliary, images):
    """What MXNet says of the images, at inference."""
    bound = executor(symbol, arguments, auxiliary, images.shape)
    bound.forward(is_train=False, data=mx.nd.array(images))
    return bound.outputs[0].asnumpy()


def reader(symbol, name):
    """The operator that takes a parameter."""
    nodes = json.loads(symbol.tojson())["nodes"]
    index = [node["name"] for node in nodes].index(name)
    return next(node["name"] for node in nodes if index in [entry[0] for entry in node["inputs"]])


def gentle_branch(depth, version, rows):
    """The `branch` of `filled` for a network of the example: less than 1 for the deep pre-activated ones of large
    images."""
    return 0.25 if version == 2 and depth >= 34 and rows > 32 else 1.0


def filled(symbol, shape, seed, batch=8, passes=6, spread=2.0, branch=1.0):
    """Random parameters as a trained network might have: nothing at its default, BatchNorm statistics from real passes
    in training mode, and a last layer whose outputs differ between images by `spread` (a standard deviation). The last
    convolution of each pre-activated unit is scaled by `branch`: in trained networks each unit adds a little to its
    shortcut; where all add as much as there is, many of them forget the image, and what is left of it is rounding.

    Returns the arguments and auxiliary arrays by name."""
    random = np.random.default_rng(seed)
    # The statistics forget their start faster than with the momentum of training.
    hasty = mx.sym.load_json(re.sub(r'("momentum": )"[0-9.]+"', r'\1"0.3"', symbol.tojson()))
    shapes, _, auxiliary_shapes = symbol.infer_shape(data=(batch, *shape))
    arguments, head = {}, None
    units = {}
    for name in symbol.list_arguments():
        found = re.fullmatch(r"(stage\d+_unit\d+)_conv\d_weight", name)
        if found:
            units[found[1]] = name
    for name, dims in zip(symbol.list_arguments(), shapes):
        if name == "data" or name.endswith("_label"):
            continue
        if name.endswith("_gamma"):
            values = random.uniform(0.5, 1.5, dims)
        elif name.endswith(("_beta", "_bias")):
            values = 0.3 * random.standard_normal(dims)
        else:
            values = random.standard_normal(dims, np.float32) * np.float32(np.sqrt(2 / np.prod(dims[1:])))
            head = name
            if name in units.values():
                values *= np.float32(branch)
        arguments[name] = mx.nd.array(values)
    auxiliary = {name: mx.nd.array(np.ones(dims) if name.endswith("_var") else np.zeros(dims))
                 for name, dims in zip(symbol.list_auxiliary_states(), auxiliary_shapes)}
    bound = executor(hasty, arguments, auxiliary, (batch, *shape), training=True)
    for _ in range(passes):
        bound.forward(is_train=True, data=mx.nd.array(pictures(random, batch, shape)))
        # MXNet's BatchNorm moves its statistics on the way back, not on the way forward.
        bound.backward([mx.nd.zeros(output.shape) for output in bound.outputs])
        mx.nd.waitall()
    scores = symbol.get_internals()[reader(symbol, head) + "_output"]
    found = forward(scores, arguments, auxiliary, pictures(random, 2 * batch, shape))
    factor = spread / found.std(axis=0).mean()
    arguments[head] *= factor
    bias = head.replace("_weight", "_bias")
    centre = (found.mean(axis=0) - arguments[bias].asnumpy()) * factor
    arguments[bias] = mx.nd.array(0.5 * random.standard_normal(centre.shape) - centre)
    return arguments, auxiliary


def save(folder, symbol, arguments, auxiliary, shape, text=None, epoch=0, batch=32):
    """A model folder as the algorithm leaves it. `text`: the symbol's JSON where it is not MXNet's present form."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "image-classification-symbol.json").write_text(text or symbol.tojson())
    named = {"arg:" + name: values for name, values in arguments.items()}
    named |= {"aux:" + name: values for name, values in auxiliary.items()}
    mx.nd.save(str(folder / f"image-classification-{epoch:04}.params"), named)
    shapes = [{"shape": [batch, *shape], "name": "data"}]
    (folder / "model-shapes.json").write_text(json.dumps(shapes))

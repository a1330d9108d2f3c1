"""Moves the betas of a network a little, so that rounding cannot decide which side of a ReLU's corner a value is on.

Of the million values before the ReLUs of a small network some are always nearer to zero than rounding reaches. One that
changes sides changes gradients by a hundredth: MXNet in single precision is then that far from itself in double
precision. So for one batch each channel's zero is put in the middle of the widest gap between its values nearby."""
import json

import mxnet as mx
import numpy as np

REACH = 0.1  # how far a zero moves, at most; the values have a standard deviation of about 1


def corners(symbol):
    """The name of what each ReLU reads, in order, and of the beta that shifts it."""
    nodes = json.loads(symbol.tojson())["nodes"]
    found = []
    for node in nodes:
        if node["op"] == "Activation":
            before = nodes[node["inputs"][0][0]]
            norms = [before] if before["op"] == "BatchNorm" else [nodes[index] for index, *_ in before["inputs"]]
            norm = next(norm for norm in norms if norm["op"] == "BatchNorm")
            found.append((before["name"] + "_output", nodes[norm["inputs"][2][0]]["name"]))
    return found


def values(symbol, arguments, auxiliary, images, name):
    """What one inner output is in training mode, in double precision."""
    inner = symbol.get_internals()[name]
    held = {key: arguments[key].astype("float64") for key in inner.list_arguments() if key != "data"}
    states = {key: auxiliary[key].astype("float64") for key in inner.list_auxiliary_states()}
    bound = inner.bind(mx.cpu(), {**held, "data": mx.nd.array(images, dtype="float64")}, aux_states=states)
    bound.forward(is_train=True)
    return bound.outputs[0].asnumpy()


def widest(row):
    """The middle of the widest gap between sorted values near zero, and half its width."""
    near = row[np.searchsorted(row, -REACH):np.searchsorted(row, REACH)]
    near = np.concatenate([[-REACH], near, [REACH]])
    at = np.diff(near).argmax()
    return (near[at] + near[at + 1]) / 2, (near[at + 1] - near[at]) / 2


def settle_one(symbol, arguments, auxiliary, images, name, beta):
    """Changes one norm's beta. Returns the least distance of a value from the corner."""
    found = values(symbol, arguments, auxiliary, images, name)
    rows = np.sort(found.transpose(1, 0, 2, 3).reshape(found.shape[1], -1), axis=1)
    gaps = [widest(row) for row in rows]
    arguments[beta] = mx.nd.array(arguments[beta].asnumpy() - np.array([middle for middle, _ in gaps]))
    return min(half for _, half in gaps)


def nearest_maxima(symbol, arguments, auxiliary, images):
    """The least difference between the largest and the next value of a window of the stem's pooling, 3x3 with stride
    2."""
    if "pooling0_output" not in symbol.get_internals().list_outputs():
        return np.inf
    found = values(symbol, arguments, auxiliary, images, "relu0_output")
    padded = np.pad(found, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
    largest = np.sort(windows.reshape(*windows.shape[:4], 9), axis=-1)[..., -2:]
    return (largest[..., 1] - largest[..., 0])[largest[..., 1] > 0].min()


def settled(symbol, arguments, auxiliary, draw, apart=3e-6):
    """Changes the betas in `arguments` for the batch of images that it returns: one that `draw` gave."""
    first, *others = corners(symbol)
    for _ in range(50):
        images = draw()
        settle_one(symbol, arguments, auxiliary, images, *first)
        if nearest_maxima(symbol, arguments, auxiliary, images) >= apart:
            break
    else:
        raise ValueError("no batch whose maxima are apart: the case has too many pixels")
    for corner in others:
        settle_one(symbol, arguments, auxiliary, images, *corner)
    return images

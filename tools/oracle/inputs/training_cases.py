"""Networks and batches to train with MXNet, and what MXNet makes of them, in single and in double precision."""
import json

import mxnet as mx
import numpy as np

from oracle.inputs import residual_nets as nets
from oracle.inputs.settled_nets import settled


# One step each with numbers that would show a wrong formula: weight decay far above what it is in practice, and
# epsilon, too, or the signs of gradients that are nothing but rounding would decide. And ten small steps: with larger
# ones a difference of rounding grows tenfold at each, MXNet's own between single and double precision as well.
def told(name, steps, keep, rate, **more):
    """A run as `steps.json` has it."""
    return {"name": name, "optimizer": name.split("-")[0], "learning_rate": rate, **more, "steps": steps, "keep": keep}


RUNS = [
    told("sgd", 1, 1, 0.05, momentum=0.9, weight_decay=0.05),
    told("nag", 1, 1, 0.05, momentum=0.9, weight_decay=0.05),
    told("adam", 1, 1, 0.01, beta_1=0.9, beta_2=0.99, eps=1e-2),
    told("rmsprop", 1, 1, 0.01, gamma=0.9, eps=1e-2),
    told("sgd-long", 10, 3, 1e-4, momentum=0.9, weight_decay=0.5),
    told("nag-long", 10, 3, 1e-4, momentum=0.9, weight_decay=0.5),
    # What weight decay does to the momentum of nag shows only where it is most of a step.
    told("nag-decay", 3, 3, 1e-4, momentum=0.9, weight_decay=300),
    told("adam-long", 10, 3, 1e-4, beta_1=0.8, beta_2=0.95, eps=1e-2),
    told("rmsprop-long", 10, 3, 1e-4, gamma=0.8, eps=1e-2),
]
BATCHES = 2  # they take turns, so that the loss falls
WORDS = {"weight_decay": "wd", "beta_1": "beta1", "beta_2": "beta2", "eps": "epsilon", "gamma": "gamma1"}


class Case:
    """One network with a batch for each step.

    `rate`: by what the learning rates of ten steps are multiplied: the loss is to fall by a third, not to nothing.
    `targets`: "classes" (one of them an image), "soft" (a distribution, as mixup gives), or "labels" (each there or
    not)."""

    def __init__(self, name, symbol, shape, batch, seed, targets="classes", short=False, rate=1.0):
        self.name, self.symbol, self.shape, self.batch = name, symbol, shape, batch
        self.runs = [{**run, "learning_rate": run["learning_rate"] * (rate if run["steps"] == 10 else 1)}
                     for run in RUNS if not short or run["steps"] == 1 or run["name"] == "sgd-long"]
        self.kind = targets
        self.arguments, self.auxiliary = nets.filled(symbol, shape, seed, batch=max(batch, 8))
        random = np.random.default_rng(5000 + seed)
        draw = lambda: nets.pictures(random, batch, shape)
        first = settled(symbol, self.arguments, self.auxiliary, draw)
        self.images = np.stack([first] + [draw() for _ in range(BATCHES - 1)])
        self.outputs = symbol.infer_shape(data=(batch, *shape))[1][0][1]
        classes = np.eye(self.outputs, dtype=np.float32)
        self.targets = classes[random.integers(self.outputs, size=(BATCHES, batch))]
        if targets == "soft":
            other = classes[random.integers(self.outputs, size=(BATCHES, batch))]
            share = random.uniform(0, 1, (BATCHES, batch, 1))
            self.targets = (self.targets * share + other * (1 - share)).astype(np.float32)
        elif targets == "labels":
            self.targets = (random.uniform(size=self.targets.shape) < 0.4).astype(np.float32)


    def label(self, index):
        """The label as MXNet takes it."""
        return self.targets[index].argmax(axis=1) if self.kind == "classes" else self.targets[index]

    def loss(self, outputs, index):
        """The mean of an image's cross-entropy; of labels also the mean over them, as the gradient has it."""
        found, wanted = outputs.astype(np.float64), self.targets[index].astype(np.float64)
        if self.kind == "labels":
            return float(-np.mean(wanted * np.log(found) + (1 - wanted) * np.log(1 - found)))
        return float(-np.sum(wanted * np.log(np.where(wanted > 0, found, 1))) / self.batch)

    def trained(self, run, dtype):
        """Trains from the start: the first step's outputs and gradients, the parameters after as many steps as the run
        says, and the loss of each step, before its update."""
        label = next(name for name in self.symbol.list_arguments() if name.endswith("label"))
        held = {name: value.astype(dtype) for name, value in self.arguments.items()}
        held["data"] = mx.nd.zeros(self.images.shape[1:], dtype=dtype)
        held[label] = mx.nd.zeros(self.label(0).shape, dtype=dtype)
        states = {name: value.astype(dtype) for name, value in self.auxiliary.items()}
        gradients = {name: mx.nd.zeros(value.shape, dtype=dtype) for name, value in self.arguments.items()}
        bound = self.symbol.bind(mx.cpu(), held, gradients, "write", aux_states=states)
        update = updater(run, list(self.arguments), self.batch)
        losses = []
        for step in range(run["steps"]):
            held["data"][:] = self.images[step % BATCHES].astype(dtype)
            held[label][:] = self.label(step % BATCHES).astype(dtype)
            bound.forward(is_train=True)
            bound.backward()
            outputs = bound.outputs[0].asnumpy()
            losses.append(self.loss(outputs, step % BATCHES))
            if step == 0:
                first, raw = outputs, {name: value.asnumpy() for name, value in gradients.items()}
            for index, name in enumerate(self.arguments):
                update(index, gradients[name], held[name])
            if step + 1 == run["keep"]:
                kept = {"arg:" + name: held[name].asnumpy() for name in self.arguments}
                kept |= {"aux:" + name: value.asnumpy() for name, value in states.items()}
        return first, raw, kept, losses

    def write(self, folder):
        """All that a program needs to do the same."""
        nets.save(folder / "model", self.symbol, self.arguments, self.auxiliary, self.shape, batch=self.batch)
        save(folder / "batches.params", {"images": self.images, "targets": self.targets})
        facts = {"batch": self.batch, "shape": self.shape, "outputs": self.outputs, "runs": self.runs}
        (folder / "steps.json").write_text(json.dumps(facts, indent=1) + "\n")

    def write_expected(self, folder, dtype="float32"):
        """What MXNet makes of it, as the program is to write it."""
        folder.mkdir(parents=True, exist_ok=True)
        losses = {}
        for run in self.runs:
            outputs, gradients, kept, losses[run["name"]] = self.trained(run, dtype)
            save(folder / f"{run['name']}.params", kept)
        save(folder / "outputs.params", {"outputs": outputs})
        save(folder / "gradients.params", gradients)
        (folder / "losses.json").write_text(json.dumps(losses, indent=1) + "\n")


def updater(run, names, batch):
    """MXNet's optimiser as its Module sets it up: the gradients of a batch count as their mean."""
    options = {WORDS.get(key, key): value for key, value in run.items()
               if key not in ("name", "optimizer", "steps", "keep")}
    made = mx.optimizer.create(run["optimizer"], rescale_grad=1 / batch, param_idx2name=dict(enumerate(names)),
                               **options)
    if run["optimizer"] == "rmsprop":
        # MXNet's own state is of single precision, whatever the weights are, and its operator then refuses.
        made.create_state = lambda _, weight: (mx.nd.zeros(weight.shape, dtype=weight.dtype),)
    return mx.optimizer.get_updater(made)


def fixed_gammas(symbol):
    """The gammas that count as 1, whatever is stored."""
    nodes = json.loads(symbol.tojson())["nodes"]
    return {nodes[node["inputs"][1][0]]["name"] for node in nodes
            if node["op"] == "BatchNorm" and node.get("attrs", {}).get("fix_gamma", "True") == "True"}


def save(path, arrays):
    mx.nd.save(str(path), {name: mx.nd.array(values, dtype=values.dtype) for name, values in arrays.items()})


def logistic(depth, shape, outputs):
    return nets.network(depth, 2, shape, outputs, multi_label=True)


def cases():
    """Their names, and what makes each."""
    def residual(depth, version, shape, outputs, batch, **more):
        name = f"resnet{depth}-v{version}-{'x'.join(map(str, shape))}" + ("-soft" if "targets" in more else "")
        return name, lambda: Case(name, nets.network(depth, version, shape, outputs), shape, batch, depth + version,
                                  **more)
    odd = (3, 97, 131)
    return dict([
        residual(20, 2, (1, 28, 28), 11, 8),
        residual(20, 1, (3, 28, 28), 10, 7),
        residual(20, 2, (3, 28, 28), 13, 6, targets="soft", short=True),
        ("labels", lambda: Case("labels", logistic(20, (3, 28, 28), 7), (3, 28, 28), 6, 9, targets="labels",
                                short=True)),
        residual(18, 1, (3, 32, 32), 5, 6, short=True, rate=0.1),
        residual(18, 2, (3, 64, 64), 23, 8, short=True, rate=0.1),
        residual(18, 1, odd, 17, 4, short=True, rate=0.1),
        # With fewer pixels the last stage normalises over so few values that MXNet's precisions are 5e-4 apart.
        residual(50, 2, (3, 97, 97), 19, 5, short=True, rate=0.003),
        residual(50, 1, (3, 97, 97), 33, 5, short=True, rate=0.003),
        ("odd-channels", lambda: Case(
            "odd-channels", nets.network(0, 2, odd, 17, plan=([2, 1, 2], (19, 37, 61), 13, False)), odd, 5, 3,
            short=True)),
    ])


def small():
    """Of a few kilobytes each, for the tests."""
    def tiny(version, shape, plan, seed, **more):
        symbol = nets.network(0, version, shape, 5, plan=plan, multi_label=more.get("targets") == "labels")
        return lambda: Case("", symbol, shape, 4, seed, **more)
    return {
        "v2": tiny(2, (3, 13, 11), ([2, 1], (5, 9), 3, False), 1),
        "v1": tiny(1, (3, 12, 10), ([1, 1], (6, 10), 5, False), 2),
        "bottleneck-v2": tiny(2, (1, 33, 34), ([1, 1], (8, 12), 3, True), 3, short=True),
        "bottleneck-v1": tiny(1, (1, 35, 33), ([1, 1], (8, 12), 5, True), 4, short=True),
        "soft": tiny(2, (1, 9, 9), ([1], (4,), 3, False), 5, targets="soft", short=True),
        "labels": tiny(2, (1, 9, 9), ([1], (4,), 3, False), 6, targets="labels", short=True),
    }

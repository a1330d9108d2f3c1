#!/usr/bin/env python3
"""One framework trains a residual network on random images in memory: the peer that imrec's training speed is measured
by.

    train_peer.py mxnet|torch --depth 18 --batch 32 [--side 224] [--classes 1000] [--threads 2] [--steps 10]
                  [--warm-up 3] [--precision fp32|bf16]

`mxnet`: its Module with the symbol of the image-classification example (v2), oneDNN as it is shipped, sgd with
momentum. `torch`: the same layers in the same order (v2), in channels-last memory and in the usual one; the better one
counts. bf16: torch's autocast, which leaves weights and losses in single precision. --symbol FILE: MXNet trains this
symbol instead, for example one that imrec wrote. --serve: each line of stdin is a number of steps; each line of stdout
the seconds they took, as infer_peer.py does it. Otherwise one JSON line: images a second over the steps after the
warm-up, seconds of each, and the largest resident memory of the process in bytes, with the framework's own code and
the images in it."""
import argparse
import json
import os
import pathlib
import re
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("framework", choices=["mxnet", "torch"])
    parser.add_argument("--depth", type=int, default=18)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--warm-up", type=int, default=3)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="of torch")
    parser.add_argument("--symbol", type=pathlib.Path)
    parser.add_argument("--layout", choices=["usual", "channels-last"], default="channels-last", help="of torch")
    parser.add_argument("--serve", action="store_true")
    return parser.parse_args()


def mxnet_step(found):
    import mxnet as mx
    sys.path.insert(0, str(HERE.parent))
    from oracle.inputs import residual_nets as nets
    shape = (3, found.side, found.side)
    symbol = mx.sym.load(str(found.symbol)) if found.symbol else nets.network(found.depth, 2, shape, found.classes)
    mx.random.seed(1)
    module = mx.mod.Module(symbol, context=mx.cpu())
    module.bind([("data", (found.batch, *shape))], [("softmax_label", (found.batch,))])
    module.init_params(mx.init.Xavier("gaussian", "in", 2))
    module.init_optimizer(kvstore="device", optimizer="sgd",
                          optimizer_params={"learning_rate": 0.01, "momentum": 0.9, "wd": 1e-4})
    batch = mx.io.DataBatch([mx.nd.random.uniform(0, 255, (found.batch, *shape))],
                            [mx.nd.random.randint(0, found.classes, (found.batch,)).astype("float32")])

    def step():
        module.forward_backward(batch)
        module.update()
        mx.nd.waitall()
        return module.get_outputs()[0].asnumpy()
    return step, {"version": mx.__version__, "onednn": os.environ.get("MXNET_MKLDNN_ENABLED", "1") != "0"}


def torch_network(found):
    """ResNet v2 with the layers of MXNet's example: it has as many parameters, and 6 for the first norm."""
    from torch import nn
    units = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}[found.depth]
    wide = found.depth >= 50

    def convolution(inputs, outputs, side, stride=1):
        return nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False)

    class Unit(nn.Module):
        def __init__(self, inputs, outputs, stride, same):
            super().__init__()
            widths = [inputs] + ([outputs // 4, outputs // 4, outputs] if wide else [outputs, outputs])
            sides, strides = ((1, 3, 1), (1, stride, 1)) if wide else ((3, 3), (stride, 1))
            self.norms = nn.ModuleList(nn.BatchNorm2d(width, 2e-5) for width in widths[:-1])
            self.convolutions = nn.ModuleList(map(convolution, widths[:-1], widths[1:], sides, strides))
            self.shortcut = None if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

        def forward(self, values):
            inner, short = values, values
            for index, (norm, layer) in enumerate(zip(self.norms, self.convolutions)):
                inner = nn.functional.relu(norm(inner), inplace=True)
                if index == 0 and self.shortcut is not None:
                    short = self.shortcut(inner)
                inner = layer(inner)
            return inner + short

    layers = [nn.BatchNorm2d(3, 2e-5), convolution(3, 64, 7, 2), nn.BatchNorm2d(64, 2e-5), nn.ReLU(True),
              nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for stage, count in enumerate(units):
        outputs = (256 if wide else 64) << stage
        for index in range(count):
            layers.append(Unit(inputs, outputs, 2 if index == 0 and stage else 1, index > 0))
            inputs = outputs
    layers += [nn.BatchNorm2d(inputs, 2e-5), nn.ReLU(True), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
               nn.Linear(inputs, found.classes)]
    return nn.Sequential(*layers)


def torch_step(found):
    import torch
    torch.manual_seed(1)
    torch.set_num_threads(found.threads)
    layout = torch.channels_last if found.layout == "channels-last" else torch.contiguous_format
    network = torch_network(found).to(memory_format=layout).train()
    images = (torch.rand(found.batch, 3, found.side, found.side) * 255).to(memory_format=layout)
    labels = torch.randint(0, found.classes, (found.batch,))
    optimiser = torch.optim.SGD(network.parameters(), 0.01, 0.9, weight_decay=1e-4)

    def step():
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=found.precision == "bf16"):
            outputs = network(images)
        outputs = outputs.float()
        torch.nn.functional.cross_entropy(outputs, labels).backward()
        optimiser.step()
        return outputs.detach().numpy()
    return step, {"version": torch.__version__, "layout": found.layout, "precision": found.precision,
                  "parameters": sum(value.numel() for value in network.parameters())}


def peak_bytes():
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)) * 1024


def main():
    found = parse()
    os.environ["OMP_NUM_THREADS"] = str(found.threads)  # before the framework is loaded
    step, facts = (mxnet_step if found.framework == "mxnet" else torch_step)(found)

    def timed():
        begun = time.perf_counter()
        outputs = step()
        if not (outputs == outputs).all():
            sys.exit(f"{found.framework}: not a number")
        return time.perf_counter() - begun

    for _ in range(found.warm_up):
        timed()
    if found.serve:
        print("ready", flush=True)
        for line in sys.stdin:
            print(f"{sum(timed() for _ in range(int(line))):.6f} {peak_bytes()}", flush=True)
        return
    load = os.getloadavg()[0]
    seconds = [timed() for _ in range(found.steps)]
    print(json.dumps({
        "framework": found.framework, **facts, "depth": found.depth, "batch": found.batch, "side": found.side,
        "threads": found.threads, "images_per_second": found.batch / statistics.median(seconds),
        "images_per_second_overall": found.batch * len(seconds) / sum(seconds),
        "seconds": [round(value, 4) for value in seconds], "peak_bytes": peak_bytes(), "load_before": load}))


if __name__ == "__main__":
    main()

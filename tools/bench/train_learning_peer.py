#!/usr/bin/env python3
"""MXNet 1.9.1 trains a ResNet from scratch on records: what imrec's learning is compared with.

    train_learning_peer.py TRAIN.rec VALIDATION.rec OUTPUT --classes N --seed S [--epochs 20] [--resume]

The recipe, to be run the same way by imrec train: ResNet-18 v2 of MXNet's example at 3x112x112, raw RGB 0...255 (the
network's first layer normalises), weights Xavier(gaussian, in, 2). Batches of 32, shuffled, the remainder of an epoch
dropped; random crop and mirror (records with the shorter side 128). sgd, momentum 0.9, weight decay 1e-4 (weights and
gammas), learning rate 0.05, a tenth of it after 2/3 and again after 7/8 of the epochs. Validation: the centre crop,
each image once, the moving statistics.

OUTPUT gets log.jsonl, a line an epoch (validation accuracy where it was measured: each --validate-every and the last
ones), and the parameters of the last epoch. --resume goes on from the epoch that was stored last: MXNet's process is
known to end in a segmentation fault now and then."""
import argparse
import json
import os
import pathlib
import sys
import time

import mxnet as mx
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from oracle.inputs import residual_nets as nets


def records(path, found, training):
    more = dict(rand_crop=True, rand_mirror=True, shuffle=True, seed=found.seed,
                seed_aug=found.seed) if training else {}
    return mx.io.ImageRecordIter(
        path_imgrec=str(path), path_imgidx=str(path.with_suffix(".idx")), data_shape=(3, found.side, found.side),
        batch_size=found.batch, preprocess_threads=1, round_batch=False, data_name="data", label_name="softmax_label",
        **more)


def counted(path):
    with open(path.with_suffix(".idx")) as lines:
        return sum(1 for _ in lines)


def measured(outputs, labels):
    """The number of right answers, and the sum of the cross-entropies."""
    chosen = outputs[np.arange(len(labels)), labels]
    return int((outputs.argmax(axis=1) == labels).sum()), float(-np.log(np.maximum(chosen, 1e-12)).sum())


def passed(module, batches, images, training):
    """One epoch: accuracy, mean loss, and the number of images. Training drops the remainder; in validation each image
    counts once: MXNet's iterator fills the last batch up and does not say so."""
    right = loss = count = 0
    batches.reset()
    for batch in batches:
        size = min(batch.data[0].shape[0], images - count)
        if training and size < batch.data[0].shape[0]:
            continue
        if training:
            module.forward_backward(batch)
            module.update()
        else:
            module.forward(batch, is_train=False)
        more = measured(module.get_outputs()[0].asnumpy()[:size], batch.label[0].asnumpy()[:size].astype(int))
        right, loss, count = right + more[0], loss + more[1], count + size
    return right / count, loss / count, count


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=pathlib.Path)
    parser.add_argument("validation", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--depth", type=int, default=18)
    parser.add_argument("--side", type=int, default=112)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--learning-rate", type=float, default=0.05)
    parser.add_argument("--validate-every", type=int, default=5)
    parser.add_argument("--resume", action="store_true")
    return parser.parse_args()


def main():
    found = parse()
    found.output.mkdir(parents=True, exist_ok=True)
    prefix, log = str(found.output / "model"), found.output / "log.jsonl"
    begun = len(log.read_text().splitlines()) if found.resume and log.exists() else 0
    if not begun:
        log.write_text("")
    # Each epoch's order and crops follow from the seed and the epoch a run was begun at.
    found.seed, seed = found.seed * 1000 + begun, found.seed
    mx.random.seed(seed)
    np.random.seed(seed)
    train, validation = records(found.train, found, True), records(found.validation, found, False)
    images = counted(found.train)
    updates = images // found.batch
    symbol = nets.network(found.depth, 2, (3, found.side, found.side), found.classes)
    module = mx.mod.Module(symbol, context=mx.cpu())
    module.bind(train.provide_data, train.provide_label)
    if begun:
        _, arguments, auxiliary = mx.model.load_checkpoint(prefix, 0)
        module.set_params(arguments, auxiliary)
    else:
        module.init_params(mx.init.Xavier("gaussian", "in", 2))
    falls = [found.epochs * 2 // 3, found.epochs * 7 // 8]
    rate = found.learning_rate * 0.1 ** sum(epoch <= begun for epoch in falls)
    left = [updates * (epoch - begun) for epoch in falls if epoch > begun]
    options = {"learning_rate": rate, "momentum": 0.9, "wd": 1e-4}
    if left:
        options["lr_scheduler"] = mx.lr_scheduler.MultiFactorScheduler(left, 0.1, base_lr=rate)
    module.init_optimizer(kvstore="device", optimizer="sgd", optimizer_params=options)
    if begun:
        module.load_optimizer_states(prefix + ".states")
    for epoch in range(begun, found.epochs):
        clock = time.monotonic()
        accuracy, loss, count = passed(module, train, images, True)
        line = {"seed": seed, "epoch": epoch, "train_images": count, "train_accuracy": accuracy, "train_loss": loss,
                "train_seconds": round(time.monotonic() - clock, 1)}
        if (epoch + 1) % found.validate_every == 0 or epoch >= found.epochs - 2:
            clock = time.monotonic()
            accuracy, loss, count = passed(module, validation, counted(found.validation), False)
            line |= {"validation_images": count, "validation_accuracy": accuracy, "validation_loss": loss,
                     "validation_seconds": round(time.monotonic() - clock, 1)}
        arguments, auxiliary = module.get_params()
        mx.model.save_checkpoint(prefix + ".new", 0, symbol, arguments, auxiliary)
        module.save_optimizer_states(prefix + ".states")
        for name in ("-symbol.json", "-0000.params"):
            os.replace(prefix + ".new" + name, prefix + name)
        with open(log, "a") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()

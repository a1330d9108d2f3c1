#!/usr/bin/env python3
"""What `imrec score` is measured against: the script one would write, with json and NumPy.

    score_peer.py OUTPUTS TRUTH.lst

Reads a folder of `.out` files, joins them to a `.lst` by path, and computes top-1, top-5, the confusion matrix,
precision, recall and F1 of each class, and log-loss. That is a part of what `imrec score` does: it has no intervals, no
calibration, no average precision, no label errors, and believes its input. Nothing in it is slower than it need be: the
standard library's json is written in C, each file is read at once, and all figures are whole-array operations.
"""
import json
import sys

import numpy


def read(outputs, listed):
    labels, rows = [], []
    with open(listed) as lines:
        for line in lines:
            _, label, path = line.rstrip("\n").split("\t")
            with open(f"{outputs}/{path}.out", "rb") as file:
                rows.append(json.loads(file.read())["prediction"])
            labels.append(int(float(label)))
    return numpy.array(labels), numpy.array(rows)


def main(outputs, listed):
    labels, probabilities = read(outputs, listed)
    count, classes = probabilities.shape
    own = probabilities[numpy.arange(count), labels]
    predicted = probabilities.argmax(axis=1)
    # A place among the five best, without sorting.
    ranks = (probabilities > own[:, None]).sum(axis=1)
    confusion = numpy.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)
    right, support, said = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = right / numpy.maximum(said, 1), right / numpy.maximum(support, 1)
    f1 = 2 * right / numpy.maximum(said + support, 1)
    chance = numpy.clip(own / probabilities.sum(axis=1), numpy.finfo(float).eps, 1)
    print(json.dumps({
        "scored": count,
        "top1": float((predicted == labels).mean()),
        "top5": float((ranks < 5).mean()),
        "log_loss": float(-numpy.log(chance).mean()),
        "macro": {"precision": float(precision.mean()), "recall": float(recall.mean()), "f1": float(f1.mean())},
        "classes": [{"precision": p, "recall": r, "f1": f} for p, r, f in
                    zip(precision.tolist(), recall.tolist(), f1.tolist())],
        "confusion": [[int(truth), int(label), int(confusion[truth, label])]
                      for truth, label in zip(*confusion.nonzero())],
    }))


if __name__ == "__main__":
    main(*sys.argv[1:])

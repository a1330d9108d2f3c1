#!/usr/bin/env python3
"""Writes what `imrec score` reads: outputs of a made-up classifier as batch transform leaves them, and their truth.

    score_inputs.py OUT [--images 15187] [--classes 257] [--seed 1] [--layout folder|flat|lines] [--digits N]
                    [--distinct N] [--dirichlet A]

OUT gets `outputs/<class>/<name>.jpg.out` (flat: `outputs/<name>.jpg.out`; lines: `outputs.jsonl`), `truth.lst`,
`truth.csv` and `classes.txt`. The probabilities are float32, printed as Python prints them when they come from MXNet:
up to 17 digits; with --digits, so many. With --dirichlet 0.05 they are drawn from Dirichlet(0.05, 0.05, ...) whatever
the label, as a model gives them that is sure of itself and has learnt nothing: most have an exponent. With --distinct
only so many predictions are made up and then used again for the other images: millions of lines take seconds. The same
seed gives the same bytes. Needs NumPy.
"""
import argparse
import json
import pathlib

import numpy


def rows(images, classes, seed, dirichlet=None, block=4096):
    """Blocks of (labels, probabilities): a softmax of noise with a signal, confusing each class with its neighbours, or
    without a signal from a Dirichlet distribution."""
    random = numpy.random.default_rng(seed)
    for start in range(0, images, block):
        count = min(block, images - start)
        labels = numpy.arange(start, start + count) * classes // images
        if dirichlet is not None:
            yield labels, random.dirichlet([dirichlet] * classes, count).astype(numpy.float32)
            continue
        scores = random.standard_normal((count, classes)) * 1.5
        scores[numpy.arange(count), labels] += random.normal(6, 2, count)
        scores[numpy.arange(count), (labels + 1) % classes] += random.normal(3, 2, count)
        scores -= scores.max(axis=1, keepdims=True)
        powers = numpy.exp(scores)
        yield labels, (powers / powers.sum(axis=1, keepdims=True)).astype(numpy.float32)


def names(classes):
    return [f"{number + 1:03d}.class-{number}" for number in range(classes)]


def text(row, digits):
    values = row.tolist()
    if digits is None:
        return json.dumps(values)
    return "[" + ", ".join(f"{value:.{digits}g}" for value in values) + "]"


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("out", type=pathlib.Path)
    words.add_argument("--images", type=int, default=15187)
    words.add_argument("--classes", type=int, default=257)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--layout", choices=["folder", "flat", "lines"], default="folder")
    words.add_argument("--digits", type=int)
    words.add_argument("--distinct", type=int)
    words.add_argument("--dirichlet", type=float)
    options = words.parse_args()

    out, folders = options.out, names(options.classes)
    outputs = out / "outputs"
    out.mkdir(parents=True, exist_ok=True)
    if options.layout != "lines":
        outputs.mkdir(exist_ok=True)
        for folder in folders if options.layout == "folder" else []:
            (outputs / folder).mkdir(exist_ok=True)
    (out / "classes.txt").write_text("".join(name + "\n" for name in folders))
    distinct = min(options.distinct or options.images, options.images)
    made = []
    with open(out / "truth.lst", "w") as listed, open(out / "truth.csv", "w") as table, \
            open(out / "outputs.jsonl" if options.layout == "lines" else "/dev/null", "w") as lines:
        table.write("path,label\n")

        def put(index, label, prediction):
            name = f"{label + 1:03d}_{index:04d}.jpg"
            path = f"{folders[label]}/{name}"
            listed.write(f"{index}\t{label}.000000\t{path}\n")
            table.write(f"{path},{label}\n")
            if options.layout == "lines":
                lines.write(f'{{"path": "{path}", "prediction": {prediction}}}\n')
            else:
                target = path if options.layout == "folder" else name
                (outputs / f"{target}.out").write_text(f'{{"prediction": {prediction}}}')

        index = 0
        for labels, probabilities in rows(distinct, options.classes, options.seed, options.dirichlet):
            for label, row in zip(labels.tolist(), probabilities):
                prediction = text(row, options.digits)
                put(index, label, prediction)
                if distinct < options.images:
                    made.append((label, prediction))
                index += 1
        for index in range(distinct, options.images):
            put(index, *made[index % distinct])


if __name__ == "__main__":
    main()

"""Predictions made from whole numbers, the same here and in the Swift tests (Tests/ScoringTests/Samples.swift).

A case is a dictionary: seed, classes, images, and how the weights of a row are drawn:
  bits, power  each class weighs a random number of that many bits, to that power; few bits make ties
  right        percent of the images whose truth gets an extra weight of up to `boost` times the largest weight
  shift        the extra weight goes to the class so many labels further on (1: always wrong)
  near         percent of the images whose neighbour (truth xor 1) gets up to half of it
  absent       every so many-th class is never true; 0: all are
  raw          rows are not divided by their sum, but by 2^(bits * power): they sum to anything
  hard         only the most probable class is told
"""
import json
import pathlib

import numpy as np

BASE = dict(bits=20, power=2, right=75, boost=12, shift=0, near=30, absent=0, raw=False, hard=False)
CASES = {
    "two": dict(seed=1, classes=2, images=200, near=0, boost=2),
    "three": dict(seed=2, classes=3, images=60),
    "ten": dict(seed=3, classes=10, images=1000),
    "ties": dict(seed=4, classes=6, images=500, bits=2, power=1, boost=1),
    "ties-many": dict(seed=5, classes=40, images=400, bits=1, power=1, boost=2),
    "absent": dict(seed=6, classes=20, images=300, absent=3),
    "perfect": dict(seed=7, classes=8, images=120, right=100, boost=1 << 12, near=0),
    "wrong": dict(seed=8, classes=8, images=120, right=100, boost=1 << 12, shift=1, near=0),
    "few-images": dict(seed=9, classes=50, images=30),
    "one-image": dict(seed=10, classes=5, images=1),
    "unnormalised": dict(seed=11, classes=12, images=400, raw=True),
    "chance": dict(seed=12, classes=30, images=600, right=0, near=0),
    "noisy": dict(seed=13, classes=12, images=2000, right=60, boost=40, near=80),
    "hundred": dict(seed=14, classes=100, images=2000, boost=60),
    "one-class": dict(seed=16, classes=1, images=40, near=0),
    "no-images": dict(seed=17, classes=4, images=0),
    "hard": dict(seed=18, classes=15, images=700, hard=True),
    "hard-absent": dict(seed=19, classes=9, images=12, absent=2, hard=True),
    "thousand": dict(seed=15, classes=1000, images=1500, boost=400, absent=10),
}


def cases(names=None):
    return {name: BASE | case for name, case in CASES.items() if not names or name in names}


def random_case(seed):
    """A case of random shape, for runs longer than the committed ones."""
    draw = np.random.default_rng(seed)
    classes = int(draw.choice([2, 3, 4, 5, 8, 16, 33, 64, 130, 257]))
    bits = int(draw.choice([1, 2, 3, 8, 20]))
    return BASE | dict(
        seed=seed, classes=classes, images=int(draw.integers(1, 60 * classes if classes < 50 else 2000)), bits=bits,
        power=int(draw.integers(1, 3)), right=int(draw.integers(0, 101)), boost=int(draw.choice([1, 2, 8, 40, 1000])),
        near=int(draw.integers(0, 101)), absent=int(draw.choice([0, 0, 2, 5])), raw=bool(draw.random() < 0.2),
        hard=bool(draw.random() < 0.1))


def numbers(seed, count):
    """SplitMix64 from `seed`."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def predictions(case):
    """Labels (images,) and probabilities (images, classes)."""
    n, classes, size = case["images"], case["classes"], case["bits"] * case["power"]
    draws = numbers(case["seed"], n * (classes + 5)).reshape(n, classes + 5)
    labels = np.arange(classes)
    present = labels[labels % case["absent"] != case["absent"] - 1] if case["absent"] else labels
    truths = present[(draws[:, 0] % np.uint64(len(present))).astype(int)]
    weights = (draws[:, 1:classes + 1] >> np.uint64(64 - case["bits"])) ** np.uint64(case["power"])
    hit, extra, close, more = draws[:, classes + 1:].T
    rows = np.arange(n)
    large = (extra >> np.uint64(64 - size)) * np.uint64(case["boost"])
    is_right = hit % np.uint64(100) < case["right"]
    weights[rows, (truths + case["shift"]) % classes] += np.where(is_right, large, 0).astype(np.uint64)
    small = (more >> np.uint64(64 - size)) * np.uint64(case["boost"]) // np.uint64(2)
    other = np.where((truths ^ 1) < classes, truths ^ 1, truths)
    weights[rows, other] += np.where(close % np.uint64(100) < case["near"], small, 0).astype(np.uint64)
    sums = weights.sum(axis=1)
    weights[sums == 0, 0] = 1
    sums[sums == 0] = 1
    divisors = np.full(n, float(1 << size)) if case["raw"] else sums.astype(float)
    return truths, weights.astype(float) / divisors[:, None]


def write(folder, case):
    """As files for `imrec score outputs.jsonl --truth truth.jsonl --classes classes.txt`."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    truths, rows = predictions(case)
    (folder / "case.json").write_text(json.dumps(case))
    (folder / "classes.txt").write_text("".join(f"class {label}\n" for label in range(case["classes"])))
    with open(folder / "outputs.jsonl", "w") as outputs, open(folder / "truth.jsonl", "w") as truth:
        for index, (label, row) in enumerate(zip(truths.tolist(), rows.tolist())):
            prediction = row.index(max(row)) if case["hard"] else row
            outputs.write(json.dumps({"path": f"{index:06}.jpg", "prediction": prediction}) + "\n")
            truth.write(json.dumps({"path": f"{index:06}.jpg", "label": label}) + "\n")

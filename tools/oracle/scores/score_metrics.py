"""Compares the metrics of `imrec score` with scikit-learn, cleanlab, statsmodels and scipy, to 1e-9.

  score_metrics.py run IMREC [--random N] [--seed S]   scores the cases (and N random ones) with IMREC, and compares
  score_metrics.py write FOLDER [--random N]           writes the cases as files, a folder each
  score_metrics.py check FOLDER                        compares each score.json that stands beside them
  score_metrics.py goldens FOLDER                      writes what the libraries say, for the tests in Swift

Python packages: requirements/score.txt. Exit status: 0 all equal, 1 not.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from oracle.inputs import score_cases
from oracle.scores import score_expected, score_laws

TOLERANCE = 1e-9


def differences(path, want, have):
    """What differs between two JSON values; numbers may by TOLERANCE, keys only `have` knows are left alone."""
    if isinstance(want, dict):
        if not isinstance(have, dict):
            return [f"{path}: {want} is expected, not {have}"]
        return [text for key, value in want.items() for text in differences(f"{path}.{key}", value, have.get(key))]
    if isinstance(want, list):
        if not isinstance(have, list) or len(want) != len(have):
            return [f"{path}: {len(want)} values are expected, not {len(have) if isinstance(have, list) else have}"]
        return [text for i, (a, b) in enumerate(zip(want, have)) for text in differences(f"{path}[{i}]", a, b)]
    if isinstance(want, float) and isinstance(have, (int, float)):
        return [] if abs(want - have) <= TOLERANCE * max(1,
                                                         abs(want)) else [f"{path}: {want!r} is expected, not {have!r}"]
    return [] if want == have else [f"{path}: {want!r} is expected, not {have!r}"]


def compare(name, case, score):
    truths, rows = score_cases.predictions(case)
    want = score_expected.expected(case, truths, rows)
    found = differences(name, want, score_expected.reduced(score))
    if len(truths):
        found += score_laws.arrangement(truths, rows, score) + score_laws.bootstrap(truths, rows, score)
    for text in found[:10]:
        print(text)
    return not found


def check(folder):
    equal = count = 0
    for path in sorted(pathlib.Path(folder).glob("*/score.json")):
        case = json.loads((path.parent / "case.json").read_text())
        count += 1
        equal += compare(path.parent.name, case, json.loads(path.read_text()))
    print(f"scores, each metric within {TOLERANCE}: {count} compared, {count - equal} differ")
    return count > 0 and equal == count


def write(folder, random_count, seed):
    for name, case in score_cases.cases().items():
        score_cases.write(pathlib.Path(folder) / name, case)
    for number in range(seed, seed + random_count):
        score_cases.write(pathlib.Path(folder) / f"random-{number}", score_cases.random_case(number))


def run(imrec, random_count, seed):
    with tempfile.TemporaryDirectory() as folder:
        write(folder, random_count, seed)
        for case in sorted(pathlib.Path(folder).iterdir()):
            done = subprocess.run(
                [imrec, "score", case / "outputs.jsonl", "--truth", case / "truth.jsonl", "--classes",
                 case / "classes.txt", "-o", case / "score.json", "--quiet"], stdout=subprocess.DEVNULL)
            # 1: nothing was scored.
            if done.returncode not in (0, 1):
                raise SystemExit(f"imrec score {case.name}: exit {done.returncode}")
        return check(folder)


def goldens(folder):
    """One line a case; lists longer than 80 values are left to `check`."""
    def short(value):
        if isinstance(value, dict):
            return {key: short(item) for key, item in value.items() if not (isinstance(item, list) and len(item) > 80)}
        if isinstance(value, float):
            return float(np.format_float_positional(value, 12, unique=False, fractional=False))
        return [short(item) for item in value] if isinstance(value, list) else value

    with open(pathlib.Path(folder) / "scores.jsonl", "w") as out:
        for name, case in score_cases.cases().items():
            expected = short(score_expected.expected(case, *score_cases.predictions(case)))
            out.write(json.dumps({"name": name, "case": case, "score": expected}, separators=(",", ":")) + "\n")
    with open(pathlib.Path(folder) / "mcnemar.json", "w") as out:
        json.dump(score_expected.tests(), out, separators=(",", ":"))
        out.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["run", "write", "check", "goldens"])
    parser.add_argument("path")
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1000)
    options = parser.parse_args()
    if options.command == "run":
        sys.exit(0 if run(options.path, options.random, options.seed) else 1)
    if options.command == "check":
        sys.exit(0 if check(options.path) else 1)
    write(options.path, options.random, options.seed) if options.command == "write" else goldens(options.path)


if __name__ == "__main__":
    main()

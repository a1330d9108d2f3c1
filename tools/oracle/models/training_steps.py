"""Compares training with MXNet: gradients, one step of each optimiser, moving statistics, and the losses of ten steps.

Each case is a folder that the program training-steps, built beside imrec, reads, and writes its own results into:

  model/            the network and its parameters at the start, as MXNet saves them
  batches.params    "images" float32 (batches, batch, channels, height, width), and "targets" float32 (batches, batch,
                    outputs): one of them 1, or a distribution, or, where the network ends in LogisticRegressionOutput,
                    0 or 1
  steps.json        "batch", "shape", "outputs", and "runs": each with a "name", "optimizer", its parameters under the
                    names of the hyperparameters, "steps", and "keep": after which of them the parameters are
                    stored. Each run starts anew from model/; step s = 0, 1, ... takes batch s modulo their number
  expected/, expected-double/   what MXNet makes of it in single and in double precision, under these names:

  ours-outputs.params     "outputs": the probabilities of the first batch in training mode, before any update
  ours-gradients.params   of that batch, by parameter: the SUM over the images of the loss's gradient, as it reaches the
                          optimiser before that divides by the batch; without weight decay. Of labels the mean over
                          them (MXNet's LogisticRegressionOutput divides by their number)
  ours-RUN.params         parameters and moving statistics after "keep" steps of a run
  ours-losses.json        by run: the loss of each step before its update; the mean over the images of the
                          cross-entropy, of labels also over them

A gamma that the network fixes at 1 is not compared: MXNet lets weight decay wear off what it stores for it.
--write FOLDER writes the cases there and compares nothing; --goldens FOLDER the small ones of the tests; --only NAME...
chooses some. The program's files are compared if they are there already and --keep is given."""
import argparse
import json
import os
import pathlib
import shutil
import sys

import mxnet as mx
import numpy as np

from oracle.comparison import Comparison, finish, run, said
from oracle.inputs import training_cases

LIMIT = 1e-4  # of max|a - b| / max|b| for each array
# Times the difference of that array between MXNet's two precisions, where that is more; rounding is a draw, so what one
# array in a hundred shows of it is granted to all.
FACTOR = 3
# The relative difference allowed for the loss of a step. Rounding differences grow from step to step, up to fivefold
# where an optimiser divides by small squares: RMSProp's ninth loss was 1.5e-3 apart on a processor with AVX2 and no
# AVX-512.
LOSS_LIMIT = 1e-4
LOSS_GROWTH = 1e-5  # doubled with each step
CHANGE_LIMIT = 1e-3  # of what one step has added to an array
# Of several steps: values have changed sides at a ReLU's corner by then, here and in MXNet's two precisions; a single
# one is a few hundredths of what has been added to one array. Most arrays are not touched.
LONG_LIMIT, MEDIAN_LIMIT = 1e-3, 1e-2


def difference(ours, known):
    """Relative to the largest number of the array."""
    if ours.shape != known.shape or not np.isfinite(ours).all():
        return np.inf
    largest = np.abs(known).max()
    return float(np.abs(ours.astype(np.float64) - known).max() / (largest if largest > 0 else 1))


def arrays(path):
    """By name, without "arg:" and "aux:"."""
    return {name.split(":")[-1]: array.asnumpy() for name, array in mx.nd.load(str(path)).items()}


def differences(ours, known, fixed, start=None):
    """The difference of each array of `known`; with `start` that of what has been added to it, where it is enough to
    tell from rounding."""
    found = {}
    for name, values in known.items():
        if name in fixed or start is not None and name not in start:
            continue
        mine = ours.get(name)
        if start is not None and mine is not None:
            change, scale = values - start[name], np.abs(values).max()
            if np.abs(change).max() < 1e-4 * scale:
                continue
            found[name] = difference(mine - start[name], change)
        else:
            found[name] = np.inf if mine is None else difference(mine, values)
    return found


class Compared:
    """One folder, the program's results against both of MXNet's."""

    def __init__(self, folder, comparison, fixed):
        self.folder, self.check, self.fixed = folder, comparison.check, fixed
        self.start = arrays(folder / "model/image-classification-0000.params")

    def file(self, name, limit, start=None, median=None):
        """Each array within `limit`, and the median of them within `median`."""
        path, expected = self.folder / f"ours-{name}", {}
        for precision in ("expected", "expected-double"):
            if (self.folder / precision / name).exists():
                expected[precision] = arrays(self.folder / precision / name)
        if not path.exists():
            return self.check(name, False, "missing here")
        own = differences(*expected.values(), self.fixed, start) if len(expected) > 1 else {}
        usual = float(np.percentile([*own.values()] or [0], 99))
        ours, told = arrays(path), f"  {self.folder.name}: {name}" + (", what was added" if start else "")
        for precision, known in expected.items():
            found = differences(ours, known, self.fixed, start)
            for array, worst in sorted(found.items(), key=lambda entry: -entry[1]) if limit else []:
                allowed = max(limit, FACTOR * own.get(array, 0), usual)
                self.check(f"{name}: {array}, {precision}", worst <= allowed,
                           f"differs by {worst:.2g}, not {allowed:.2g}")
            middle = float(np.median([*found.values()] or [0]))
            if median:
                self.check(f"{name}: median, {precision}", middle <= median, f"{middle:.2g}")
            told += f"; {precision} {max(found.values(), default=0):.2g}, median {middle:.2g}"
        if own:
            told += (f"; MXNet's own {max(own.values(), default=0):.2g}, "
                     f"median {float(np.median([*own.values()] or [0])):.2g}")
        print(told)

    def losses(self):
        known = json.loads((self.folder / "expected/losses.json").read_text())
        double = self.folder / "expected-double/losses.json"
        double = json.loads(double.read_text()) if double.exists() else known
        path = self.folder / "ours-losses.json"
        ours = json.loads(path.read_text()) if path.exists() else {}
        for name, expected in known.items():
            found = np.array(ours.get(name, []), float)
            same = found.shape == (len(expected),)
            apart = np.abs(found / expected - 1) if same else np.full(len(expected), np.inf)
            worst = apart.max()
            own = np.abs(np.array(expected) / double[name] - 1).max()
            allowed = np.maximum(max(LOSS_LIMIT, FACTOR * own), LOSS_GROWTH * 2.0 ** np.arange(len(expected)))
            step = int((apart / allowed).argmax())
            self.check(f"losses of {name}", bool((apart <= allowed).all()),
                       f"that of step {step} differs by {apart[step]:.2g}, not {allowed[step]:.2g}")
            if len(expected) > 1:
                print(f"  {self.folder.name}: losses of {name}: {worst:.2g}; MXNet's own {own:.2g}")

    def all(self, runs):
        self.file("outputs.params", LIMIT)
        self.file("gradients.params", LIMIT)
        for one in runs:
            name = f"{one['name']}.params"
            if one["steps"] == 1:
                self.file(name, LIMIT)
                self.file(name, CHANGE_LIMIT, self.start)
            else:
                self.file(name, LONG_LIMIT)
                self.file(name, None, self.start, MEDIAN_LIMIT)
        self.losses()


def write(case, folder, double=True):
    case.write(folder)
    case.write_expected(folder / "expected")
    if double:
        case.write_expected(folder / "expected-double", "float64")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imrec", type=pathlib.Path, help="the program under test")
    parser.add_argument("--scratch", type=pathlib.Path)
    parser.add_argument("--write", type=pathlib.Path)
    parser.add_argument("--goldens", type=pathlib.Path)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--keep", action="store_true")
    found, _ = parser.parse_known_args()
    made = training_cases.small() if found.goldens else training_cases.cases()
    if found.scratch and not found.only and not os.environ.get("IMREC_LONG"):
        # Minutes each, of layers that the others have, too.
        for name in ("resnet18-v2-3x64x64", "resnet18-v1-3x97x131", "resnet50-v1-3x97x97"):
            del made[name]
            print(f"  {name} is compared with IMREC_LONG=1 only")
    for name in found.only or made:
        folder = (found.goldens or found.write or found.scratch) / name
        if found.goldens or found.write:
            write(made[name](), folder, double=not found.goldens)
            print(name, flush=True)
            continue
        with Comparison(f"training: {name}") as comparison:
            if not (found.keep and (folder / "steps.json").exists()):
                shutil.rmtree(folder, ignore_errors=True)
                write(made[name](), folder)
            if found.imrec:
                result = run(found.imrec.parent / "training-steps", folder)
                comparison.check("training-steps", result[0] == 0, said(result))
            facts = json.loads((folder / "steps.json").read_text())
            symbol = mx.sym.load(str(folder / "model/image-classification-symbol.json"))
            Compared(folder, comparison, training_cases.fixed_gammas(symbol)).all(facts["runs"])
    finish()


if __name__ == "__main__":
    sys.exit(main())

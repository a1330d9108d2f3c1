"""What every comparison script shares: its arguments, the programs under test, and how a result is told."""
import argparse
import os
import pathlib
import subprocess
import sys


class Comparison:
    """Counts what was compared under one heading. Used with `with`; at its end one line says how many differed."""

    differing = 0  # of all comparisons of this process

    def __init__(self, what):
        self.what, self.compared, self.differed = what, 0, 0

    def __enter__(self):
        return self

    def check(self, name, same, detail=""):
        """One comparison; where it differs the first few are named, with what differs."""
        self.compared += 1
        if not same:
            self.differed += 1
            if self.differed <= 5:
                print(f"  differs: {self.what}: {name}" + (f": {detail}" if detail else ""))
        return same

    def bytes(self, name, ours, peers):
        """Compares two byte strings; None stands for a file that is missing."""
        return self.check(name, ours == peers, "" if ours == peers else describe(ours, peers))

    def __exit__(self, kind, error, _):
        if kind is not None:
            self.differed += 1
            print(f"  stopped: {self.what}: {kind.__name__}: {error}")
        if self.compared == 0:
            self.differed += 1
            print(f"  nothing was compared: {self.what}")
        print(f"{self.what}: {self.compared} compared, {self.differed} differ", flush=True)
        Comparison.differing += self.differed
        return kind is not None and issubclass(kind, Exception)


def describe(ours, peers):
    if ours is None or peers is None:
        return "missing " + ("here" if ours is None else "there")
    at = next((i for i, (a, b) in enumerate(zip(ours, peers)) if a != b), min(len(ours), len(peers)))
    return (f"{len(ours)} and {len(peers)} bytes, first difference at {at}: {ours[at:at + 24]!r} and "
            f"{peers[at:at + 24]!r}")


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--imrec", type=pathlib.Path, required=True, help="the program under test")
    parser.add_argument("--im2rec", type=pathlib.Path, required=True, help="the drop-in under test")
    parser.add_argument("--images", type=pathlib.Path, required=True, help="a folder that generate.py wrote")
    parser.add_argument("--photos", type=pathlib.Path, help="a folder of class folders with photographs")
    parser.add_argument("--scratch", type=pathlib.Path, required=True, help="a folder for what is made on the way")
    found = parser.parse_args()
    found.imrec, found.im2rec, found.scratch = found.imrec.resolve(), found.im2rec.resolve(), found.scratch.resolve()
    found.scratch.mkdir(parents=True, exist_ok=True)
    return found


def run(program, *words, folder=None):
    """Runs a program to its end: its exit status and the bytes it wrote to stdout and stderr."""
    done = subprocess.run([os.fspath(program), *map(os.fspath, words)], cwd=folder, capture_output=True, timeout=600)
    return done.returncode, done.stdout, done.stderr


def said(result):
    """The last line that a program wrote to stderr, for a message."""
    status, _, words = result
    lines = words.decode(errors="replace").strip().splitlines()
    return f"exit {status}" + (f", {lines[-1]}" if lines else "")


def content(path):
    return path.read_bytes() if path.exists() else None


def finish():
    sys.exit(1 if Comparison.differing else 0)

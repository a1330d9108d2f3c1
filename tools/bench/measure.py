"""Runs programs and takes their figures: wall-clock seconds, processor seconds, and the largest resident memory."""
import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

LAUNCHER = pathlib.Path(__file__).with_name("launch.py")


class Failed(Exception):
    pass


def run(words, scratch, folder=None):
    """Runs a program to its end. Its stdout is in `out`; the memory is that of its largest process, in bytes."""
    out_path, error_path, figures = scratch / "stdout", scratch / "stderr", scratch / "figures"
    load = os.getloadavg()[0]
    words = [os.fspath(word) for word in words]
    with open(out_path, "wb") as out, open(error_path, "wb") as error:
        launch = [sys.executable, "-S", "-E", LAUNCHER, figures, *words]
        subprocess.run(launch, cwd=folder, stdout=out, stderr=error, stdin=subprocess.DEVNULL, check=True)
    found = json.loads(figures.read_text())
    if found.pop("status") != 0:
        last = error_path.read_text(errors="replace").strip().splitlines()[-3:]
        raise Failed(f"{' '.join(words)}: it failed: {' / '.join(last)}")
    return {**found, "load_before": load, "out": out_path.read_text(errors="replace")}


@contextlib.contextmanager
def served(imrec, root, *options):
    """imrec serve with its usual limits on a free port until the block ends: its process and the port."""
    log = pathlib.Path(f"{root}.log")
    with log.open("wb") as output:
        process = subprocess.Popen([imrec, "serve", "--root", root, "--port", "0", "--quiet", *options], stdout=output,
                                   stderr=output)
    try:
        end = time.monotonic() + 60
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text(errors="replace"))):
            if process.poll() is not None or time.monotonic() > end:
                raise Failed(f"imrec serve does not start: {log.read_text(errors='replace')[-300:]}")
            time.sleep(0.01)
        yield process, int(found[1])
    finally:
        process.terminate()
        try:
            status = process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        if status != 0:
            print(f"  imrec serve ended with {status}", file=sys.stderr)


class Case:
    """One program at one task: how it is run, and what each run gave. A figure is images a second."""

    def __init__(self, name, words, images, figure=None, folder=None, before=None):
        self.name, self.words, self.images, self.folder = name, [os.fspath(word) for word in words], images, folder
        self.figure = figure or (lambda result: images / result["seconds"])
        self.before = before or (lambda: None)
        self.runs, self.out = [], ""

    def once(self, scratch, keep):
        self.before()
        os.sync()  # What the run before left for the disk is not written in the time of this one.
        result = run(self.words, scratch, self.folder)
        self.out = result.pop("out")
        result["images_per_second"] = self.figure({**result, "out": self.out})
        if keep:
            self.runs.append(result)

    def median(self, what="images_per_second"):
        return statistics.median(run[what] for run in self.runs)

    def record(self):
        return {"name": self.name, "command": self.words, "images": self.images, "runs": self.runs,
                "median": {what: self.median(what) for what in self.runs[0]} if self.runs else {}}


def alternate(cases, runs, scratch, warm_up=True):
    """Runs A B C A B C ..., so that a change of the machine meets all alike; the first round is not counted."""
    for number in range(0 if warm_up else 1, runs + 1):
        for case in cases:
            case.once(scratch, keep=number > 0)
            shown = case.runs[-1]["images_per_second"] if case.runs else None
            print(f"  {case.name}: " + ("warm-up" if shown is None else f"run {number}: {shown:,.0f} a second"),
                  file=sys.stderr, flush=True)


def json_figure(key="images_per_second"):
    """Takes the figure from the JSON document that the program printed."""
    def figure(result):
        return json.loads(result["out"].strip().splitlines()[-1] if key == "loop" else result["out"])[key]
    return figure


def text_of(words, fallback="unknown"):
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=60).stdout.strip() or fallback
    except (OSError, subprocess.SubprocessError):
        return fallback


def lines_of(path):
    return pathlib.Path(path).read_text().splitlines()


def machine(root):
    """What the figures depend on: the processor, the system, the compiler, and the commit of the folder `root`."""
    processor = dict(line.split(":", 1) for line in text_of(["lscpu"]).splitlines() if ":" in line)
    memory = next((line.split()[1] for line in lines_of("/proc/meminfo") if line.startswith("MemTotal")), "0")
    system = next((line.split("=")[1].strip().strip('"') for line in lines_of("/etc/os-release")
                   if line.startswith("PRETTY_NAME")), "")
    dirty = text_of(["git", "-C", root, "status", "--porcelain", "--untracked-files=no"], "")
    return {"processor": processor.get("Model name", "").strip(), "cores": os.cpu_count(),
            "memory_bytes": int(memory) * 1024, "system": system, "kernel": os.uname().release,
            "commit": text_of(["git", "-C", root, "rev-parse", "HEAD"]) + (" and changes" if dirty else ""),
            "swift": text_of(["swift", "--version"]).splitlines()[0], "load_at_start": os.getloadavg()[0]}

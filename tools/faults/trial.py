"""Runs the program under test and counts what was tried."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = os.environ.get("IMREC", str(HERE.parent.parent / ".build" / "release" / "imrec"))
HAS_STRACE = shutil.which("strace") is not None


class Result:
    def __init__(self, status, out, err, seconds):
        self.status, self.out, self.err, self.seconds = status, out, err, seconds

    def __repr__(self):
        return f"status {self.status}, {self.seconds:.1f} s, stderr: {self.err[-300:].strip()!r}"


def run(*arguments, before=(), limit=120, cwd=None, environment=None, **options):
    """Runs the program; a run that takes longer than `limit` seconds has status "hang"."""
    command = [*before, PROGRAM, *map(str, arguments)]
    start = time.monotonic()
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=limit, cwd=cwd, stdin=subprocess.DEVNULL,
            env={**os.environ, "SWIFT_BACKTRACE": "enable=no", **(environment or {})}, **options)
        status, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        status, out, err = "hang", late.stdout or b"", late.stderr or b""
    text = [stream.decode("utf-8", "replace") for stream in (out, err)]
    return Result(status, *text, time.monotonic() - start)


class Tally:
    """Counts the trials of one promise, and prints the first failures."""

    all = []

    def __init__(self, promise):
        self.promise, self.tried, self.failures = promise, 0, []
        Tally.all.append(self)

    def check(self, holds, *words):
        self.tried += 1
        if not holds:
            self.failures.append(" ".join(map(str, words)))
            if len(self.failures) <= 5:
                print(f"  FAILED: {self.promise}: {self.failures[-1]}", flush=True)

    def close(self):
        print(f"{self.tried} tried, {len(self.failures)} failed: {self.promise}", flush=True)


def finish():
    if not Tally.all:
        sys.exit("nothing was tried")
    sys.exit(1 if any(tally.failures for tally in Tally.all) else 0)


def digests(folder, keep=lambda name: not name.endswith(".partial")):
    """The SHA-256 of each file below the folder, by name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(pathlib.Path(folder).rglob("*")) if path.is_file() and keep(path.name)}


def scratch():
    return tempfile.TemporaryDirectory(prefix="imrec-faults-")

#!/usr/bin/env python3
"""Looks through a release build for what swiftc 6.3.1 does wrong with a Mutex behind an await: it keeps the address of
the thread's number over the suspension, locks as the thread that ran before, unlocks as the one that runs now, and
traps.

  suspensions.py PROGRAM [PROGRAM ...]

A resumed part of an async function is named when it locks before it has asked who the thread is. What locks first in
the right way and later in the wrong one is not found. Where one is named, a sync function that is never inlined is the
way out. Needs objdump (binutils).
"""
import pathlib
import re
import shutil
import subprocess
import sys

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "Sources"


def is_wrong(lines):
    def first(*words):
        return next((number for number, line in enumerate(lines) if any(word in line for word in words)), len(lines))

    return any("_unlockSlow" in line for line in lines) and first("lock cmpxchg") < first("%fs:", "__tls_get_addr")


def resumed(program):
    """The parts of async functions behind their suspensions: name, instructions."""
    process = subprocess.Popen(["objdump", "-d", "--no-show-raw-insn", program], stdout=subprocess.PIPE, text=True)
    name, lines = "", []
    for line in process.stdout:
        if found := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            if re.search(r"T[YQ]\d+_$", name):
                yield name, lines
            name, lines = found[1], []
        else:
            lines.append(line)
    if process.wait():
        raise SystemExit(f"suspensions: objdump cannot read {program}")


def main():
    if not shutil.which("objdump"):
        print("suspensions: skipped: there is no objdump (binutils)")
        return
    own = tuple(f"$s{len(folder.name)}{folder.name}" for folder in SOURCES.iterdir())
    tried, wrong = 0, []
    for program in sys.argv[1:]:
        for name, lines in resumed(program):
            tried += 1
            if name.startswith(own) and is_wrong(lines):
                wrong.append(name)
    print(f"{tried} tried, {len(wrong)} failed: no Mutex is locked behind an await as the thread before it")
    for name in wrong:
        print("  " + subprocess.run(["swift", "demangle", "-compact", name], capture_output=True,
                                    text=True).stdout.strip()[:200])
    sys.exit(1 if wrong or not tried else 0)


if __name__ == "__main__":
    main()

"""Killed, stopped and crowded out: an interrupted run leaves no part of a file, and its sequel the right bytes."""
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

from pictures import draw_classes
from trial import PROGRAM, Tally, digests, finish, run, scratch

PACKING = ["--resize", 120, "--jobs", 2]


def start(*arguments, cwd):
    return subprocess.Popen([PROGRAM, *map(str, arguments)], cwd=cwd, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={**os.environ, "SWIFT_BACKTRACE": "enable=no"})


def clear(folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)


def kill_at_random(photos, work, count):
    """kill -9 again and again; nothing partial in between, and the last run ends as if nothing had been."""
    command = ["convert", photos, "c", "--per-class", 60, *PACKING]
    clear(work)
    undisturbed = run(*command, cwd=work)
    whole = digests(work)
    partial = Tally("after kill -9 no final name holds a partial file")
    resumed = Tally("--resume after kill -9 ends with the bytes of an undisturbed run")
    kept = 0
    numbers = random.Random(1)
    tried = 0
    while tried < count:
        clear(work)
        for _ in range(numbers.choice([1, 1, 2, 3])):
            process = start(*command, "--resume", cwd=work)
            time.sleep(numbers.uniform(0.02, undisturbed.seconds))
            process.kill()
            process.communicate()
            tried += 1
            partial.check(all(whole.get(name) == digest for name, digest in digests(work).items()),
                          sorted(digests(work)))
        last = run(*command, "--resume", cwd=work)
        kept += "kept from an earlier run" in last.err
        left = [path.name for path in pathlib.Path(work).glob("*.partial")]
        resumed.check(last.status == 0 and digests(work) == whole and not left, last, left)
    partial.close()
    resumed.close()
    reused = Tally("--resume goes on from what was done, at least now and then")
    reused.check(kept > 0, "never")
    reused.close()


def stop_politely(photos, work, count):
    command = ["convert", photos, "c", "--per-class", 60, *PACKING]
    clear(work)
    undisturbed = run(*command, cwd=work)
    whole = digests(work)
    tally = Tally("SIGINT and SIGTERM end the run with status 1, a sentence, and a way on")
    numbers = random.Random(2)
    for number in range(count):
        clear(work)
        process = start(*command, cwd=work)
        time.sleep(numbers.uniform(0.1, 0.8) * undisturbed.seconds)
        process.send_signal(signal.SIGINT if number % 2 else signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        words = "stopped by " + ("SIGINT" if number % 2 else "SIGTERM")
        if process.returncode == 0:
            tally.check(digests(work) == whole, "ended with status 0 and other bytes")
            continue
        nothing = not any(name.endswith((".rec", ".idx", ".lst")) for name in digests(work))
        tally.check(process.returncode == 1 and words in err.decode() and nothing, process.returncode, err)
        last = run(*command, "--resume", cwd=work)
        tally.check(last.status == 0 and digests(work) == whole, last)
    tally.close()
    twice = Tally("a second SIGINT ends the run at once")
    for _ in range(3):
        clear(work)
        process = start(*command, "--jobs", 1, cwd=work)
        time.sleep(0.3 * undisturbed.seconds)
        for _ in range(20):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        process.communicate(timeout=5)
        twice.check(process.returncode in (1, -signal.SIGINT), process.returncode)
    twice.close()


def crowd(photos, work, count):
    tally = Tally("of several processes with one output, each ends whole or says which process uses it")
    clear(work)
    command = ["convert", photos, "c", "--per-class", 60, *PACKING]
    run(*command, cwd=work)
    whole = digests(work)
    for _ in range(count):
        clear(work)
        processes = [start(*command, cwd=work) for _ in range(3)]
        ends = [(process.communicate(timeout=120)[1].decode(), process.returncode) for process in processes]
        fine = all(status == 0 or (status == 1 and "in use by process" in err)
                   for err, status in ends)
        tally.check(fine and any(status == 0 for _, status in ends) and digests(work) == whole, ends)
    tally.close()


def run_out(photos, work):
    """Limits of the system: a small disk, small files, few open files, little memory."""
    tally = Tally("a full disk and every limit of the system end the run with a sentence and no partial file")
    command = ["convert", photos, "c", "--per-class", 60, *PACKING]
    clear(work)
    run(*command, cwd=work)
    whole = digests(work)
    for limit in (1, 20_000, 100_000, 300_000, 600_000):
        clear(work)
        result = run(*command, cwd=work, before=["prlimit", f"--fsize={limit}"])
        tally.check(result.status == 1 and not digests(work) and "ulimit -f" in result.err, limit, result)
        result = run(*command, "--resume", cwd=work)
        tally.check(result.status == 0 and digests(work) == whole, limit, result)
    for limit in range(12, 32):
        clear(work)
        result = run(*command, cwd=work, before=["prlimit", f"--nofile={limit}:{limit}"])
        found = digests(work)
        # The limit may be met while the files get their names: then some have theirs, each of them whole.
        fine = found == whole if result.status == 0 else found.items() <= whole.items()
        tally.check(fine and result.status in (0, 1) and "skipped: " not in result.err, limit, result)
    small_disk(command, work, whole, tally)
    tally.close()


def small_disk(command, work, whole, tally):
    clear(work)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", work], capture_output=True).returncode:
        print("  (left out: a disk of 1 MB; only root may mount one)")
        return
    try:
        pathlib.Path(work, "ballast").write_bytes(bytes(500_000))
        result = run(*command, cwd=work)
        tally.check(result.status == 1 and "the disk is full" in result.err and len(digests(work)) == 1, result)
        os.unlink(os.path.join(work, "ballast"))
        for name in pathlib.Path(work).glob("*.lst.partial"):
            name.unlink()
        result = run(*command, "--resume", cwd=work)
        tally.check(result.status == 1 or digests(work) == whole, result)
    finally:
        subprocess.run(["umount", work])


def closed_streams(photos, work):
    tally = Tally("closed and full standard streams never get into an output")
    command = ["convert", photos, "c", "--per-class", 60]
    clear(work)
    run(*command, cwd=work)
    whole = digests(work)
    for closing in ("0<&-", "1>&-", "2>&-", "0<&- 1>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-", ">/dev/full",
                    "2>/dev/full", "| true"):
        clear(work)
        words = " ".join(map(str, command))
        done = subprocess.run(["bash", "-c", f"{PROGRAM} {words} {closing}; exit ${{PIPESTATUS[0]}}"], cwd=work,
                              capture_output=True)
        # Without a reader the result is lost, not the files.
        statuses = (0, 1) if "1>" in closing or ">/dev/full" in closing or "|" in closing else (0,)
        tally.check(done.returncode in statuses and digests(work) == whole, closing, done)
    tally.close()


def main(count):
    with scratch() as folder:
        photos, work = os.path.join(folder, "photos"), os.path.join(folder, "out")
        draw_classes(photos, 3, 100)
        kill_at_random(photos, work, count)
        stop_politely(photos, work, max(4, count // 5))
        crowd(photos, work, max(2, count // 10))
        run_out(photos, work)
        closed_streams(photos, work)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
    finish()

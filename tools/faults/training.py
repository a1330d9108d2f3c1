"""A training that is killed or has no room: its sequel ends with the parameters of an undisturbed one."""
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

from kills import clear, start
from pictures import draw_classes
from trial import Tally, digests, finish, run, scratch


def command(folder, *more):
    rec = [os.path.join(folder, f"in-20-{part}.rec") for part in ("train", "val")]
    return ["train", "--train", rec[0], "--validation", rec[1], "--model-dir", "m", "--num-layers", 20, "--image-shape",
            "3,28,28",
            "--resize", 32, "--mini-batch-size", 8, "--epochs", 4, "--augmentation-type", "crop", "--ema-decay", 0.9,
            "--checkpoint-every", 2, *more]


def parameters(work):
    """The stored model; of a checkpoint the bytes hold times, too."""
    return digests(os.path.join(work, "m"), keep=lambda name: name.startswith("image-classification")
                   and name.endswith(".params"))


def kill_at_random(folder, work, count):
    """kill -9 again and again, SIGTERM in between; the last run ends as if nothing had been."""
    clear(work)
    undisturbed = run(*command(folder), cwd=work)
    whole = parameters(work)
    ends = Tally("a training that is killed and resumed ends with the parameters of an undisturbed one")
    readable = Tally("after a kill the checkpoint, if there is one, can be gone on from")
    numbers = random.Random(1)
    ends.check(undisturbed.status == 0 and len(whole) == 1, undisturbed)
    for _ in range(count):
        clear(work)
        for _ in range(numbers.choice([1, 2, 3])):
            process = start(*map(str, command(folder, "--resume")), cwd=work)
            time.sleep(numbers.uniform(0.05, 0.8 * undisturbed.seconds))
            process.send_signal(numbers.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
            _, err = process.communicate(timeout=60)
            readable.check(b"not a valid checkpoint" not in err and b"damaged" not in err, err)
        last = run(*command(folder, "--resume"), cwd=work)
        left = [path.name for path in pathlib.Path(work).rglob("*.partial")]
        ends.check(last.status == 0 and parameters(work) == whole and not left, last, left)
    ends.close()
    readable.close()
    return whole


def small_disk(folder, work, whole):
    tally = Tally("on a full disk a training goes on, says so, and ends whole when there is room again")
    clear(work)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=9m", "none", work], capture_output=True).returncode:
        print("  (left out: a small disk; only root may mount one)")
        return
    try:
        # Room for: nothing; the model of 1.1 MB, but no checkpoint of 3.4; one checkpoint, but not a second beside it.
        for room, model in ((100_000, False), (2_000_000, True), (5_500_000, True)):
            clear_disk(work)
            ballast = pathlib.Path(work, "ballast")
            ballast.write_bytes(bytes(9 * 1_048_576 - room))
            result = run(*command(folder), cwd=work)
            tally.check(result.status == (0 if model else 1) and "could not be written" in result.err
                        and "the disk is full" in result.err and bool(parameters(work)) == model, room, result)
            ballast.unlink()
            result = run(*command(folder, "--resume"), cwd=work)
            tally.check(result.status == 0 and parameters(work) == whole, room, result)
    finally:
        subprocess.run(["umount", work])
    tally.close()


def clear_disk(work):
    for path in sorted(pathlib.Path(work).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def main(count):
    with scratch() as folder:
        photos, work = os.path.join(folder, "photos"), os.path.join(folder, "out")
        draw_classes(photos, 3, 28)
        run("convert", photos, os.path.join(folder, "in"), "--per-class", 20)
        small_disk(folder, work, kill_at_random(folder, work, count))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 6)
    finish()

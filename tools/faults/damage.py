"""Cut and changed files, and the same run in other surroundings."""
import os
import random
import shutil
import sys

from pictures import draw_classes
from trial import Tally, digests, finish, run, scratch


def photographs(folder, count):
    """JPEG and PNG files: drawn ones, and some of IMREC_PHOTOS where that is set."""
    drawn = os.path.join(folder, "drawn")
    draw_classes(drawn, 1, count // 2)
    run("list", drawn, os.path.join(folder, "d"))
    run("pack", os.path.join(folder, "d.lst"), drawn)
    run("extract", os.path.join(folder, "d.rec"), os.path.join(folder, "jpegs"))
    folders = [drawn, os.path.join(folder, "jpegs")]
    if "IMREC_PHOTOS" in os.environ:
        folders.append(os.environ["IMREC_PHOTOS"])
    for root in folders:
        found = sorted(os.path.join(path, name) for path, _, names in os.walk(root) for name in names
                       if name.endswith((".jpg", ".png")))
        yield from random.Random(3).sample(found, min(count, len(found)))


def cut_images(folder, count):
    """Every file is cut at 20 places: the cut is seen, or nothing but what follows the picture is lost."""
    tally = Tally("an image that is cut short is named, unless all its pixels are there")
    for path in photographs(folder, count):
        with open(path, "rb") as file:
            whole = file.read()
        root = os.path.join(folder, "cut")
        shutil.rmtree(root, ignore_errors=True)
        os.makedirs(root + "/whole"), os.makedirs(root + "/a")
        suffix = os.path.splitext(path)[1]
        places = [len(whole) * part // 20 for part in range(20)] + [len(whole) - 1, len(whole) - 2, len(whole) - 12]
        for place in places:
            with open(f"{root}/a/{place}{suffix}", "wb") as file:
                file.write(whole[:place])
        with open(f"{root}/whole/x{suffix}", "wb") as file:
            file.write(whole)
        result = run("convert", root, root + "-c", "--train-ratio", 1)
        run("extract", root + "-c-train.rec", root + "/out", "--quiet")
        images = digests(root + "/out")
        reference = next((digest for name, digest in images.items() if name.startswith("1/")), None)
        for place in set(places):
            named = f"skipped: a/{place}{suffix}: " in result.err
            tally.check(named or place >= len(whole) - 12, path, "cut at", place, "of", len(whole))
        tally.check(result.status == 2 and reference is not None, path, result)
        tally.check(all(digest == reference for name, digest in images.items() if name.endswith(".jpg")), path,
                    "a cut file gave other pixels")
        shutil.rmtree(root + "/out", ignore_errors=True)
    tally.close()


def damaged_records(folder, count):
    tally = Tally("no changed or cut .rec crashes or hangs a verb, and a cut is always named")
    drawn = os.path.join(folder, "three")
    draw_classes(drawn, 1, 3)
    run("list", drawn, drawn)
    run("pack", drawn + ".lst", drawn)
    with open(drawn + ".rec", "rb") as file:
        whole = file.read()
    heads = [place for place in range(0, len(whole), 4) if whole[place:place + 4] == b"\x0a\x23\xd7\xce"]
    numbers = random.Random(4)
    bad = os.path.join(folder, "bad.rec")
    for number in range(count):
        data = bytearray(whole)
        is_cut = number % 3 == 0
        if is_cut:
            del data[numbers.randrange(1, len(data)):]
        else:
            # Half of the changes hit a head, where they do most.
            place = numbers.choice(heads) + numbers.randrange(32) if number % 3 == 1 else numbers.randrange(len(data))
            data[place] ^= 1 << numbers.randrange(8)
        with open(bad, "wb") as file:
            file.write(data)
        verb = [["verify", bad], ["info", bad], ["merge", bad + ".m", bad],
                ["tensors", bad, "-o", bad + ".npy", "--shape", "3,8,8"]][number % 4]
        result = run(*verb, "--quiet", limit=20, before=["prlimit", "--as=1073741824"])
        expected = (1, 2) if is_cut and len(data) not in heads else (0, 1, 2)
        tally.check(result.status in expected, verb[0], number, result)
    tally.close()


def surroundings(folder, count):
    tally = Tally("the bytes depend on nothing but the input and the options")
    photos = os.path.join(folder, "same")
    draw_classes(photos, 2, 40, broken=1)
    numbers = random.Random(5)
    reference = None
    for number in range(count):
        work = os.path.join(folder, "work", "deep" * (number % 5))
        shutil.rmtree(os.path.join(folder, "work"), ignore_errors=True)
        os.makedirs(work)
        environment = {"TZ": numbers.choice(["UTC", "Asia/Kolkata"]), "LC_ALL": numbers.choice(["C", "tr_TR.UTF-8"]),
                       "COLUMNS": str(numbers.randrange(1, 200))}
        result = run("convert", photos, "c", "--per-class", 20, "--resize", 64, "--jobs",
                     numbers.choice([1, 2, 3, 8, 33]), cwd=work, environment=environment,
                     umask=numbers.choice([0, 0o022, 0o077]))
        found = digests(work)
        reference = reference or found
        tally.check(result.status == 2 and len(found) == 8 and found == reference, number, result)
    tally.close()


if __name__ == "__main__":
    scale = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with scratch() as place:
        cut_images(place, 15 * scale)
        damaged_records(place, 300 * scale)
        surroundings(place, 40 * scale)
    finish()

"""Images are replaced while they are packed: every record is of one version, or its image is named as skipped."""
import os
import random
import struct
import sys
import threading
import zlib

from pictures import chunk
from trial import Tally, finish, run, scratch

COUNT = 40


def picture(shade):
    """Not compressed, so that all pictures have the same number of bytes."""
    rows = (b"\0" + bytes([shade]) * 900) * 300
    head = struct.pack(">IIBBBBB", 300, 300, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 0))
            + chunk(b"IEND", b""))


def replace(path, file):
    with open(path + ".new", "wb") as out:
        out.write(file)
    os.rename(path + ".new", path)


def rewrite(path, file):
    with open(path, "wb", buffering=0) as out:
        out.write(file[:1000])
        out.write(file[1000:])


def overwrite(path, file):
    with open(path, "r+b", buffering=0) as out:
        out.write(file)


def images(path):
    with open(path, "rb") as file:
        data = file.read()
    offset = 0
    while offset < len(data):
        length = struct.unpack_from("<I", data, offset + 4)[0] & (1 << 29) - 1
        yield data[offset + 32:offset + 8 + length]
        offset += 8 + (length + 3) // 4 * 4


def main(wanted):
    versions = {file for shade in range(2 * COUNT) if (file := picture(shade))}
    tally = Tally("an image that is replaced while it is read is packed in one version, or skipped")
    for way in (replace, rewrite, overwrite):
        with scratch() as folder:
            swaps = pack_under(way, folder, wanted, versions, tally)
            print(f"  {swaps} swaps by {way.__name__}", flush=True)
    tally.close()


def pack_under(way, folder, wanted, versions, tally):
    names = [os.path.join(folder, f"{number:03}.png") for number in range(COUNT)]
    for number, name in enumerate(names):
        replace(name, picture(number))
    with open(folder + ".lst", "w") as lst:
        lst.writelines(f"{number}\t0\t{os.path.basename(name)}\n" for number, name in enumerate(names))
    swaps, ends = 0, threading.Event()

    def swap():
        nonlocal swaps
        numbers = random.Random(1)
        while not ends.is_set():
            number = numbers.randrange(COUNT)
            way(names[number], picture(number + COUNT * numbers.randrange(2)))
            swaps += 1
            ends.wait(numbers.choice([0, 0.001, 0.02]))

    thread = threading.Thread(target=swap)
    thread.start()
    while swaps < wanted:
        result = run("pack", folder + ".lst", folder, "-o", folder + ".rec", "--pass-through", "--quiet")
        tally.check(result.status in (0, 1, 2), result)
        if result.status != 1:
            for image in images(folder + ".rec"):
                tally.check(image in versions, "a record is of no one version")
    ends.set()
    thread.join()
    for suffix in (".lst", ".rec", ".idx"):
        if os.path.exists(folder + suffix):
            os.unlink(folder + suffix)
    return swaps


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    finish()

"""Draws PNG files with the standard library alone."""
import os
import random
import struct
import zlib


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, seed, chunks=b""):
    numbers = random.Random(seed)
    slope, base = [numbers.randrange(1, 9) for _ in range(2)], [numbers.randrange(256) for _ in range(3)]
    rows = b"".join(
        b"\0" + bytes((x * slope[0] + y * slope[1] + base[c]) & 255 for x in range(width) for c in range(3))
        for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunks + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))


NOTHING = zlib.compress(b"\0")


def claimed(width, height, data=NOTHING):
    """A grey PNG that claims a size; `data` need not be enough for it."""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def draw_classes(root, classes, each, broken=0):
    """Class folders of small pictures; the last `broken` of the first class are cut short."""
    for label in range(classes):
        folder = os.path.join(root, f"class-{label}")
        os.makedirs(folder, exist_ok=True)
        for number in range(each):
            file = png(24 + number * 7 % 30, 20 + number * 11 % 40, label * 1000 + number)
            if label == 0 and number >= each - broken:
                file = file[:len(file) // 2]
            with open(os.path.join(folder, f"{number:04}.png"), "wb") as out:
                out.write(file)

"""Compares decoded pixels with OpenCV 4.8's imread: every kind of picture, damaged ones, and photographs.

`imrec pack --encoding png` writes what it decoded without loss, 16 bits too; its records are unpacked here.
"""
import os
import pathlib
import struct

import cv2
import numpy

from oracle.comparison import Comparison, arguments, finish, run, said
from oracle.inputs import pictures

MODES = {"rgb": cv2.IMREAD_COLOR, "gray": cv2.IMREAD_GRAYSCALE, "unchanged": cv2.IMREAD_UNCHANGED}
MAGIC = 0xCED7230A


def records(path):
    """(id, payload without IRHeader) of each record; the id is the line of the list that it came from."""
    with open(path, "rb") as file:
        whole = b""
        while head := file.read(8):
            magic, length = struct.unpack("<II", head)
            assert magic == MAGIC, f"no record at byte {file.tell() - 8}"
            part, count = length >> 29, length & 0x1FFFFFFF
            data = file.read(count)
            file.read(-count % 4)
            whole = data if part in (0, 1) else whole + struct.pack("<I", MAGIC) + data
            if part in (0, 3):
                yield struct.unpack("<IfQQ", whole[:24])[2], whole[24:]


def compare(found, comparison, root, names, mode, *words):
    """Packs the files `names` below `root` and compares each record's pixels with imread of its file."""
    listed, packed = found.scratch / "pixels.lst", found.scratch / "pixels.rec"
    listed.write_bytes(b"".join(b"%d\t0\t%s\n" % (i, os.fsencode(name)) for i, name in enumerate(names)))
    result = run(found.imrec, "pack", listed, root, "-o", packed, "--encoding", "png", "--quality", "1",
                 "--color", mode, "--quiet", *words)
    if result[0] not in (0, 2):
        comparison.check(mode, False, said(result))
        return
    ours = dict(records(packed))
    for number, name in enumerate(names):
        theirs = cv2.imread(os.fspath(root / name), MODES[mode])
        data = ours.get(number)
        if data is None or theirs is None:
            where = "not decoded " + ("here" if data is None else "there")
            comparison.check(f"{name}, {mode}", data is None and theirs is None, where)
            continue
        mine = cv2.imdecode(numpy.frombuffer(data, numpy.uint8), cv2.IMREAD_UNCHANGED)
        same = mine.dtype == theirs.dtype and mine.shape == theirs.shape and bool((mine == theirs).all())
        comparison.check(f"{name}, {mode}", same, f"{mine.shape} {mine.dtype} and {theirs.shape} {theirs.dtype}")


def written(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for name, data in files:
        (folder / name).write_bytes(data)
        names.append(name)
    return names


def main():
    found = arguments(__doc__)
    root = found.scratch / "pictures"
    names = written(root, [*pictures.pictures(), *pictures.turned_pngs()])
    with Comparison("pixels/generated pictures") as comparison:
        for mode in MODES:
            # OpenCV takes rubbish before the end marker, which is damage here.
            compare(found, comparison, root, names, mode, "--keep-damaged")
    root = found.scratch / "damaged"
    names = written(root, (item for seed in range(4) for item in pictures.damaged(seed)))
    with Comparison("pixels/damaged JPEG, kept") as comparison:
        for mode in MODES:
            compare(found, comparison, root, names, mode, "--keep-damaged")
    if found.photos:
        root = pathlib.Path(found.photos)
        names = sorted(os.fspath(path.relative_to(root)) for path in root.glob("*/*.jpg"))
        with Comparison("pixels/photographs") as comparison:
            for mode, step in (("rgb", 1), ("gray", 5), ("unchanged", 5)):  # PNGs of all in all modes take minutes
                compare(found, comparison, root, names[::step], mode)
    finish()


if __name__ == "__main__":
    main()

"""Compares the records of our im2rec and of `imrec pack` with those of MXNet's im2rec.py.

JPEG and pass-through: .rec and .idx byte for byte. PNG: headers, and the pixels (compressors differ).
"""
import itertools
import os
import shutil

import cv2
import mxnet as mx
import numpy as np

from oracle.comparison import Comparison, arguments, content, finish, run, said
from oracle.records.peer import im2rec_py

BOTH = ("im2rec", "imrec pack")
COLORS = {"1": "rgb", "0": "gray", "-1": "unchanged"}


class Bench:
    """A folder for each program, with the same list in both, and the runs in them."""

    def __init__(self, found, root, name, lines):
        self.found, self.root = found, root
        self.folders = {side: found.scratch / name / side for side in ("peers", *BOTH)}
        shutil.rmtree(found.scratch / name, ignore_errors=True)
        for folder in self.folders.values():
            folder.mkdir(parents=True)
            (folder / "set.lst").write_bytes(lines)

    def files(self, side):
        return [content(self.folders[side] / f"set{suffix}") for suffix in (".rec", ".idx")]

    def drop_in(self, words):
        return run(self.found.im2rec, *words, "--num-thread", "2", "set", self.root, folder=self.folders["im2rec"])

    def peers(self, words):
        return im2rec_py(*words, "--num-thread", "2", "set", self.root, folder=self.folders["peers"])

    def pack(self, words):
        """`imrec pack` with the options of im2rec.py in our spelling."""
        ours = list(words)
        for i, word in enumerate(ours):
            if i and ours[i - 1] == "--color":
                ours[i] = COLORS[word]
            if i and ours[i - 1] == "--encoding":
                ours[i] = word[1:]
        folder = self.folders["imrec pack"]
        return run(self.found.imrec, "pack", "set.lst", self.root, "-o", "set.rec", "--quiet", *ours, folder=folder)

    def compare(self, comparison, words, sides=BOTH, same=None, statuses=(0,), kept=None):
        """Runs all on the same options. `same`: how to compare two .rec files where bytes are not the promise.

        `kept`: the list for im2rec.py, where ours is to leave out lines that im2rec.py would not.
        """
        name = " ".join(words) or "no options"
        if kept is not None:
            (self.folders["peers"] / "set.lst").write_bytes(kept)
        self.peers(words)
        wanted = self.files("peers")
        for side in sides:
            result = self.pack(words) if side == "imrec pack" else self.drop_in(words)
            label = f"{name}: {side}"
            if not comparison.check(f"{label}: status", result[0] in statuses, said(result)):
                continue
            if same:
                comparison.check(f"{label}: .rec", *same(self.folders[side] / "set", self.folders["peers"] / "set"))
            else:
                for suffix, mine, theirs in zip((".rec", ".idx"), self.files(side), wanted):
                    comparison.bytes(f"{label}: {suffix}", mine, theirs)
            for suffix in (".rec", ".idx"):
                (self.folders[side] / f"set{suffix}").unlink(missing_ok=True)


def lines_of(found, root, keep=lambda path: True):
    """The list that im2rec.py makes of a folder, without the images that `keep` turns down."""
    folder = found.scratch / "listing"
    folder.mkdir(exist_ok=True)
    im2rec_py("--list", "--recursive", "set", root, folder=folder)
    lines = (folder / "set.lst").read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if keep(os.fsdecode(line.split(b"\t")[-1].strip())))


def contents(prefix):
    """Every record in the order of the file: header, labels and picture."""
    reader, found = mx.recordio.MXRecordIO(f"{prefix}.rec", "r"), []
    while (record := reader.read()) is not None:
        header, image = mx.recordio.unpack(record)
        found.append((header, image))
    reader.close()
    return found


def same_pixels(mine, theirs, tolerance=0):
    """Whether two .rec files hold the same headers and the same pixels, or pixels at most `tolerance` apart."""
    ours, peers = contents(mine), contents(theirs)
    if len(ours) != len(peers):
        return False, f"{len(ours)} and {len(peers)} records"
    for (our_header, our_image), (peer_header, peer_image) in zip(ours, peers):
        if not (our_header.id == peer_header.id and np.array_equal(our_header.label, peer_header.label)):
            return False, f"header {our_header} and {peer_header}"
        a, b = (cv2.imdecode(np.frombuffer(image, np.uint8), -1) for image in (our_image, peer_image))
        if a is None or a.shape != b.shape or a.dtype != b.dtype:
            return False, f"id {our_header.id}: {None if a is None else (a.shape, a.dtype)} and {(b.shape, b.dtype)}"
        apart = int(np.abs(a.astype(int) - b).max())
        if apart > tolerance:
            return False, f"id {our_header.id}: apart by {apart}"
    return True, ""


def options(**choices):
    """The grid of options: a list of values each, None for leaving the option out, True for a flag."""
    names = ["--" + name.replace("_", "-") for name in choices]
    for values in itertools.product(*choices.values()):
        words = []
        for name, value in zip(names, values):
            if value is True:
                words.append(name)
            elif value is not None:
                words += [name, str(value)]
        yield words


def grids(found, good):
    lines = lines_of(found, good)
    sample = b"".join(line for i, line in enumerate(lines.splitlines(keepends=True)) if i % 20 == 0
                      or b"/size-" in line)
    small = Bench(found, good, "small", sample)
    with Comparison("records/jpeg: resize, crop, quality and colour") as comparison:
        for words in options(resize=[None, 16, 100, 256], center_crop=[None, True], quality=[1, 50, None, 100],
                             color=[None, 0, -1]):
            sides = BOTH if "--center-crop" in words or "--quality" not in words else ("im2rec",)
            small.compare(comparison, words, sides)
    whole = Bench(found, good, "whole", lines)
    with Comparison("records/jpeg: every image") as comparison:
        for words in options(resize=[None, 64], color=[None, 0, -1]):
            whole.compare(comparison, words)
        whole.compare(comparison, ["--resize", "256", "--quality", "95"])
        whole.compare(comparison, ["--quality", "101"], sides=("im2rec",))
        whole.compare(comparison, ["--quality", "0"], sides=("im2rec",))
    with Comparison("records/png: the same pixels") as comparison:
        for words in options(encoding=[".png"], resize=[None, 50], color=[None, 0, -1], center_crop=[None, True]):
            whole.compare(comparison, words, same=same_pixels)
    with Comparison("records/pass-through") as comparison:
        whole.compare(comparison, ["--pass-through"])
        whole.compare(comparison, ["--pass-through", "--resize", "20", "--color", "0"], sides=("im2rec",))
    deep = found.images.resolve() / "deep"
    sixteen = Bench(found, deep, "deep", lines_of(found, deep))
    with Comparison("records/16-bit PNG") as comparison:
        for words in options(color=[None, 0], resize=[None, 30]):
            sixteen.compare(comparison, words)
        sixteen.compare(comparison, ["--encoding", ".png", "--resize", "30"], same=same_pixels)
    turned = found.images.resolve() / "turned"
    upright = Bench(found, turned, "turned", lines_of(found, turned))
    with Comparison("records/PNG with an EXIF chunk") as comparison:
        for words in options(color=[None, 0, -1], resize=[None, 30]):
            upright.compare(comparison, words)
    with Comparison("records/16-bit PNG, colours unchanged") as comparison:
        sixteen.compare(comparison, ["--color", "-1"])
        sixteen.compare(comparison, ["--color", "-1", "--resize", "30"])
        sixteen.compare(comparison, ["--color", "-1", "--encoding", ".png"], same=same_pixels)
    with Comparison("records/16-bit PNG resized, within 1 of 65535") as comparison:
        # OpenCV's wheel resizes 16 bits with Intel's IPP; without it (OPENCV_IPP=disabled) the pixels are the same.
        sixteen.compare(comparison, ["--color", "-1", "--encoding", ".png", "--resize", "30"],
                        same=lambda mine, theirs: same_pixels(mine, theirs, tolerance=1))


def odd_lists(found, good):
    paths = [line.split(b"\t")[-1].strip() for line in lines_of(found, good).splitlines()][:8]
    absolute = os.fsencode(good / "root.jpg")
    lists = {
        "several labels": b"".join(b"%d\t1.5\t-2\t1e1\t%s\n" % (i, path) for i, path in enumerate(paths)),
        "labels of different counts": b"".join(b"%d\t%s%s\n" % (i, b"%d.25\t" % i * (1 + i % 3), path)
                                               for i, path in enumerate(paths)),
        "labels that a float cannot hold": b"".join(b"%d\t%s\t%s\n" % (i, label, paths[i]) for i, label in enumerate(
            [b"16777217", b"0.1", b"1e-46", b"3.4e38", b"-1e-3", b"-0", b" 7 ", b"+2.50"])),
        "absolute paths and ..": b"3\t0\t%s\n1\t1\tapple/../root.jpg\n2\t1\t./root.jpg\n" % absolute,
        "large ids": b"4294967296\t0\troot.jpg\n9223372036854775807\t1\troot.jpg\n",
        "CRLF": b"".join(b"%d\t1.000000\t%s\r\n" % (i, path) for i, path in enumerate(paths)),
        "no newline at the end": b"0\t1\troot.jpg\n1\t0\troot.jpg",
    }
    spaced = b" 0 \t 1 \t root.jpg \n\t1\t0\troot.jpg\t\n"
    same_id = b"5\t0\troot.jpg\n6\t1\troot.jpg\n5\t2\tRoot.png\n7\t0\troot.jpg\n"
    skipping = {
        "blank and short lines": b"0\t1\troot.jpg\n\n1\troot.jpg\n2\n \t \n3\t1\troot.jpg\n",
        "bad numbers": b"0\t1\troot.jpg\n1.0\t0\troot.jpg\nx\t0\troot.jpg\n4\tx\troot.jpg\n5\t0\troot.jpg\n",
        "missing files": b"0\t1\troot.jpg\n1\t0\tnowhere.jpg\n2\t0\tapple\n3\t0\troot.jpg\n",
    }
    with Comparison("records/lists of every form") as comparison:
        for name, lines in lists.items():
            made = Bench(found, good, "odd", lines)
            for words in ([], ["--pack-label"], ["--pass-through"], ["--pass-through", "--pack-label"]):
                with Heading(comparison, name):
                    made.compare(comparison, words)
    with Comparison("records/a list with spaces round its fields") as comparison:
        made = Bench(found, good, "odd", spaced)
        made.compare(comparison, [], sides=("im2rec",))
    with Comparison("records/two records of one id: kept by im2rec, the second skipped by imrec pack") as comparison:
        made = Bench(found, good, "odd", same_id)
        made.compare(comparison, [], sides=("im2rec",))
        made.compare(comparison, [], sides=("imrec pack",), statuses=(2,),
                     kept=same_id.replace(b"5\t2\tRoot.png\n", b""))
    with Comparison("records/lists with lines that are skipped") as comparison:
        for name, lines in skipping.items():
            made = Bench(found, good, "odd", lines)
            for words in ([], ["--pass-through"]):
                with Heading(comparison, name):
                    made.compare(comparison, words, statuses=(2,))


class Heading:
    """Names the list in the differences told while it is open."""

    def __init__(self, comparison, name):
        self.comparison, self.name = comparison, name

    def __enter__(self):
        self.kept = self.comparison.what
        self.comparison.what = f"{self.kept}: {self.name}"

    def __exit__(self, *_):
        self.comparison.what = self.kept


def damaged(found):
    root = found.images.resolve() / "broken"
    with Comparison("records/unreadable images are skipped") as comparison:
        made = Bench(found, root, "broken", lines_of(found, root, lambda path: not path.startswith("truncated")))
        for words in options(resize=[None, 256], color=[None, 0, -1]):  # 1x400 at 256 is too long for a JPEG
            made.compare(comparison, words, statuses=(2,))
    with Comparison("records/truncated images, kept on demand") as comparison:
        made = Bench(found, root, "truncated", lines_of(found, root, lambda path: path.startswith(("truncated", "ok"))))
        for words in options(resize=[None, 40], color=[None, 0]):
            made.peers(words)
            wanted = made.files("peers")
            result = made.pack([*words, "--keep-damaged"])
            comparison.check("status", result[0] in (0, 2), said(result))
            for suffix, mine, theirs in zip((".rec", ".idx"), made.files("imrec pack"), wanted):
                comparison.bytes(f"{' '.join(words)}: {suffix}", mine, theirs)


def photographs(found):
    root = found.photos.resolve()
    lines = lines_of(found, root)
    with Comparison("records/photographs") as comparison:
        made = Bench(found, root, "photographs", lines)
        for words in (["--resize", "256", "--quality", "95"], ["--pass-through"],
                      ["--resize", "100", "--center-crop", "--color", "0", "--quality", "80"]):
            made.compare(comparison, words)


def main():
    found = arguments(__doc__)
    good = found.images.resolve() / "good"
    grids(found, good)
    odd_lists(found, good)
    damaged(found)
    if found.photos:
        photographs(found)
    finish()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Compares the lists of our im2rec with those of MXNet's im2rec.py: every file, byte for byte, and the printed classes."""
import itertools
import shutil

from comparison import Comparison, arguments, content, finish, run, said
from peer import im2rec_py

EXTENSIONS = [[], ["--exts", ".jpg", ".jpeg", "--"]]
RATIOS = [[], ["--train-ratio", "0.6", "--test-ratio", "0.2"], ["--train-ratio", "0.75"],
          ["--train-ratio", "1.0", "--test-ratio", "0.5"], ["--train-ratio", "0.5", "--test-ratio", "0.5"],
          ["--train-ratio", "0.9", "--test-ratio", "0.3"], ["--train-ratio", "0", "--test-ratio", "0.1"],
          ["--train-ratio", "0.29", "--test-ratio", "0.57"]]
CHUNKS = [[], ["--chunks", "2"], ["--chunks", "3"]]


def listing(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def compare(found, comparison, root, words):
    folders = [found.scratch / "ours", found.scratch / "peers"]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    words = ["--list", *words, "set", root]
    ours, peers = run(found.im2rec, *words, folder=folders[0]), im2rec_py(*words, folder=folders[1])
    name = " ".join(map(str, words[1:-2])) or "no options"
    mine, theirs = listing(folders[0]), listing(folders[1])
    if not comparison.check(f"{name}: status", ours[0] == peers[0], f"{said(ours)} and {said(peers)}"):
        return
    comparison.check(f"{name}: files", sorted(mine) == sorted(theirs), f"{sorted(mine)} and {sorted(theirs)}")
    for file in sorted(theirs):
        comparison.bytes(f"{name}: {file}", mine.get(file), theirs[file])
    comparison.bytes(f"{name}: classes", ours[1], peers[1])


def loses_images(found, root, words):
    """Whether im2rec.py leaves images out: where the ratios add up to 1 it drops what rounding leaves over."""
    def lines(prefix, extra):
        im2rec_py("--list", *extra, prefix, root, folder=found.scratch)
        files = sorted(found.scratch.glob(prefix + "*.lst"))
        ids = [line.split(b"\t")[0] for file in files for line in file.read_bytes().splitlines()]
        for file in files:
            file.unlink()
        return len(ids)
    without = [w for i, w in enumerate(words) if "-ratio" not in w and "-ratio" not in (words[i - 1] if i else "")]
    return lines("split", words) < lines("whole", without)


def main():
    found = arguments(__doc__)
    root = (found.images / "good").resolve()
    grid = itertools.product([[], ["--recursive"]], EXTENSIONS, [[], ["--no-shuffle"]], CHUNKS, RATIOS)
    dropping = []
    with Comparison("lists/options") as comparison:
        for parts in grid:
            words = list(itertools.chain(*parts))
            if "0.5" in words and "1.0" not in words and loses_images(found, root, words):
                dropping.append(words)
            else:
                compare(found, comparison, root, words)
    with Comparison("lists/no image is lost where im2rec.py loses some") as comparison:
        for words in dropping:
            folder = found.scratch / "kept"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            run(found.im2rec, "--list", *words, "set", root, folder=folder)
            run(found.im2rec, "--list", *words[:-4], "whole", root, folder=folder)
            ids = [sorted(line.split(b"\t")[0] for file in folder.glob(name + "*.lst")
                          for line in file.read_bytes().splitlines()) for name in ("set", "whole")]
            comparison.check(" ".join(words), ids[0] == ids[1] != [], f"{len(ids[0])} and {len(ids[1])} images")
    with Comparison("lists/abbreviated options, a slash at the end") as comparison:
        compare(found, comparison, f"{root}/", ["--rec", "--no-sh"])
        compare(found, comparison, f"{root}/apple/../apple/", ["--rec", "--train=0.5"])
    with Comparison("lists/an empty list is an error, where im2rec.py says nothing") as comparison:
        for words, place in [(["--recursive"], root / "texts"), ([], root / "empty"),
                             (["--recursive", "--exts", "jpg", "--"], root)]:
            ours = run(found.im2rec, "--list", *words, "nothing", place, folder=found.scratch)
            comparison.check(" ".join(words) or "no options", ours[0] == 1 and ours[2], said(ours))
            comparison.check("no file is left", not list(found.scratch.glob("nothing*")))
    if found.photos:
        with Comparison("lists/photographs") as comparison:
            for words in [["--recursive"], ["--recursive", "--train-ratio", "0.8", "--test-ratio", "0.1"],
                          ["--recursive", "--chunks", "7", "--no-shuffle"]]:
                compare(found, comparison, found.photos.resolve(), words)
    finish()


if __name__ == "__main__":
    main()

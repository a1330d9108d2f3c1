"""Compares the lists of our im2rec with those of MXNet's im2rec.py: every file, byte for byte, and the printed
classes."""
import itertools
import re
import shutil

from oracle.comparison import Comparison, arguments, finish, run, said
from oracle.records.peer import im2rec_py

EXTENSIONS = [[], ["--exts", ".jpg", ".jpeg", "--"]]
RATIOS = [[], ["--train-ratio", "0.6", "--test-ratio", "0.2"], ["--train-ratio", "0.75"],
          ["--train-ratio", "1.0", "--test-ratio", "0.5"], ["--train-ratio", "0.5", "--test-ratio", "0.5"],
          ["--train-ratio", "0.9", "--test-ratio", "0.3"], ["--train-ratio", "0", "--test-ratio", "0.1"],
          ["--train-ratio", "0.29", "--test-ratio", "0.57"]]
CHUNKS = [[], ["--chunks", "2"], ["--chunks", "3"]]


def listing(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def compare(found, comparison, root, words):
    """Runs both on the same options and compares all that they make. Returns the bytes of our stderr and their
    lists."""
    folders = [found.scratch / "ours", found.scratch / "peers"]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    words = ["--list", *words, "set", root]
    ours, peers = run(found.im2rec, *words, folder=folders[0]), im2rec_py(*words, folder=folders[1])
    name = " ".join(map(str, words[1:-2])) or "no options"
    mine, theirs = listing(folders[0]), listing(folders[1])
    if comparison.check(f"{name}: status", ours[0] == peers[0] == 0, f"{said(ours)} and {said(peers)}"):
        comparison.check(f"{name}: files", sorted(mine) == sorted(theirs), f"{sorted(mine)} and {sorted(theirs)}")
        for file in sorted(theirs):
            comparison.bytes(f"{name}: {file}", mine.get(file), theirs[file])
        comparison.bytes(f"{name}: classes", ours[1], peers[1])
    return ours[2], theirs


def grid(found, root):
    """Every combination of options. Where the ratios add up to 1, rounding leaves images out: ours has to say so."""
    silent = []
    with Comparison("lists/options") as comparison:
        for recursive, extensions in itertools.product([[], ["--recursive"]], EXTENSIONS):
            whole = len(compare(found, comparison, root, [*recursive, *extensions])[1]["set.lst"].splitlines())
            for parts in itertools.product([[], ["--no-shuffle"]], CHUNKS, RATIOS):
                words = [*recursive, *itertools.chain(*parts), *extensions]
                told, made = compare(found, comparison, root, words)
                lost = whole - sum(len(lines.splitlines()) for lines in made.values())
                if lost:
                    silent.append((" ".join(words), lost, told))
    with Comparison("lists/images that are in no list are told of") as comparison:
        for name, lost, told in silent:
            said_so = re.search(rf"\b{lost} of \d+ images\b", told.decode(errors="replace"))
            comparison.check(name, said_so is not None, f"{lost} images, not said")


def main():
    found = arguments(__doc__)
    root = (found.images / "good").resolve()
    grid(found, root)
    with Comparison("lists/abbreviated options, a slash at the end") as comparison:
        compare(found, comparison, f"{root}/", ["--rec", "--no-sh"])
        compare(found, comparison, f"{root}/apple/../apple/", ["--rec", "--train=0.5"])
    with Comparison("lists/an empty list is an error, where im2rec.py says nothing") as comparison:
        for words, place in [(["--recursive"], root / "texts"), ([], root / "empty"),
                             (["--recursive", "--exts", ".gif", "--"], root)]:
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

"""Real MXNet reads what we write, and we read what it writes: convert, info, verify, extract and merge."""
import collections
import json
import os
import shutil

import cv2
import mxnet as mx
import numpy as np

from oracle.comparison import Comparison, arguments, content, finish, run, said
from oracle.inputs import insightface
from oracle.records.peer import im2rec_py

SHARE = 4  # training images of each class


def class_tree(found):
    """Five class folders of eight generated JPEG images each."""
    root = found.scratch / "classes"
    shutil.rmtree(root, ignore_errors=True)
    good = sorted(path for path in (found.images / "good").rglob("*.jpg")
                  if path.is_file() and not path.is_symlink() and path.read_bytes()[:2] == b"\xff\xd8")
    for i, path in enumerate(good[::len(good) // 40][:40]):
        target = root / f"{i % 5 + 1:03}.kind {i % 5}" / f"{i:03}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return root


def rows(path):
    """(id, labels, path) of each line of a .lst."""
    for line in path.read_bytes().splitlines():
        fields = line.split(b"\t")
        yield int(fields[0]), [float(label) for label in fields[1:-1]], os.fsdecode(fields[-1])


def records(path):
    """(header, image) of each record, in the order of the file, as MXNet's reader gives them."""
    reader = mx.recordio.MXRecordIO(str(path), "r")
    while (record := reader.read()) is not None:
        yield mx.recordio.unpack(record)
    reader.close()


def read_split(found, comparison, root, prefix, words):
    """One split: the index, headers and images agree with the list, and im2rec.py makes the same records from it."""
    listed = list(rows(prefix.with_suffix(".lst")))
    reader = mx.recordio.MXIndexedRecordIO(str(prefix.with_suffix(".idx")), str(prefix.with_suffix(".rec")), "r")
    comparison.check(f"{prefix.name}: ids of the index", reader.keys == [row[0] for row in listed])
    for number, labels, _ in listed:
        header, image = mx.recordio.unpack(reader.read_idx(number))
        comparison.check(f"{prefix.name}: header of {number}",
                         (header.id, header.label) == (number, np.float32(labels[0])))
        comparison.check(f"{prefix.name}: image of {number}",
                         cv2.imdecode(np.frombuffer(image, np.uint8), 1) is not None)
    reader.close()
    folder = found.scratch / "repacked"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copyfile(prefix.with_suffix(".lst"), folder / f"{prefix.name}.lst")
    im2rec_py(*words, "--num-thread", "2", prefix.name, root, folder=folder)
    for suffix in (".rec", ".idx"):
        comparison.bytes(f"{prefix.name}{suffix} as im2rec.py makes it", content(prefix.with_suffix(suffix)),
                         content(folder / f"{prefix.name}{suffix}"))
    return listed


def converted(found, what, root, share, words):
    """`imrec convert`: both splits are readable, disjoint and complete, with `share` training images a class."""
    folder = found.scratch / "converted"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with Comparison(what) as comparison:
        result = run(found.imrec, "convert", root, folder / "set", "--per-class", str(share), "--seed", "7", *words,
                     "--quiet")
        # Caltech-101 as it is published has a JPEG without a suffix, which is passed over and said.
        stray = any(path.is_file() and not path.suffix for path in root.rglob("*"))
        if not comparison.check("status", result[0] == (2 if stray else 0), said(result)):
            return
        splits = {name: read_split(found, comparison, root, folder / f"set-{share}-{name}", words)
                  for name in ("train", "val")}
        listed = collections.Counter(row[2] for split in splits.values() for row in split)
        files = {os.fsdecode(os.path.relpath(path, root)) for path in root.rglob("*")
                 if path.is_file() and path.suffix.lower() in (".jpg", ".jpeg", ".png")}
        comparison.check("each image stands in one split", listed == collections.Counter(files))
        classes = (folder / "set-classes.txt").read_text().splitlines()
        comparison.check("classes", classes == sorted(os.listdir(root)), str(classes[:3]))
        for name, split in splits.items():
            right = all(path.split("/")[0] == classes[int(labels[0])] for _, labels, path in split)
            comparison.check(f"{name}: labels name the folders", right)
        counts = collections.Counter(labels[0] for _, labels, _ in splits["train"])
        comparison.check("training images a class", set(counts.values()) == {share} and len(counts) == len(classes),
                         str(counts))
        seen = sum(batch.data[0].shape[0] - batch.pad for batch in mx.io.ImageRecordIter(
            path_imgrec=str(folder / f"set-{share}-val.rec"), data_shape=(3, 32, 32), resize=32, batch_size=4,
            preprocess_threads=2, verbose=False))
        comparison.check("ImageRecordIter reads all", seen == len(splits["val"]), f"{seen} of {len(splits['val'])}")


def answer(comparison, name, result, status=0):
    """The JSON document of a run, or {} and a difference."""
    if comparison.check(f"{name}: status", result[0] == status, said(result)):
        try:
            return json.loads(result[1])
        except ValueError as error:
            comparison.check(f"{name}: JSON", False, str(error))
    return {}


def inspected(found, comparison, record, images, total):
    """info and verify say of a .rec what MXNet's reader sees; extract gives every image back under its label."""
    found_records = list(records(record))
    info = answer(comparison, "info", run(found.imrec, "info", record, "--json"))
    comparison.check("info: records", info.get("records") == len(found_records) == total, str(info.get("records")))
    comparison.check("info: bytes", info.get("bytes") == record.stat().st_size, str(info.get("bytes")))
    labels = collections.Counter(label for label, _ in images.values())
    told = {float(label): count for label, count in info.get("labels", {}).items()}
    comparison.check("info: labels", told == labels, f"{told} and {dict(labels)}")
    kinds = collections.Counter("png" if image[:4] == b"\x89PNG" else "jpeg" for _, image in images.values())
    encodings = {kind: count for kind, count in info.get("encodings", {}).items() if kind in kinds}
    comparison.check("info: encodings", encodings == kinds, str(info.get("encodings")))
    verified = answer(comparison, "verify", run(found.imrec, "verify", record, "--json"))
    comparison.check("verify", (verified.get("records"), verified.get("ok"), verified.get("bad")) == (total, total, []),
                     str(verified)[:200])
    folder = found.scratch / "extracted"
    shutil.rmtree(folder, ignore_errors=True)
    result = run(found.imrec, "extract", record, folder, "--quiet")
    if not comparison.check("extract: status", result[0] == 0, said(result)):
        return
    lists = list(folder.rglob("*.lst"))
    comparison.check("extract: one list", len(lists) == 1, str(lists))
    made = {number: (labels[0], content(folder / path)) for number, labels, path in rows(lists[0])} if lists else {}
    for number, image in images.items():
        comparison.check(f"extract: image {number}", made.get(number) == image)
    comparison.check("extract: nothing else", set(made) == set(images), f"{len(made)} and {len(images)}")
    places = collections.defaultdict(set)
    for _, labels, path in (rows(lists[0]) if lists else []):
        places[os.path.dirname(path)].add(labels[0])
    comparison.check("extract: a folder a label", len(places) == len(labels_of(images)) and
                     all(len(kinds) == 1 for kinds in places.values()), str(dict(places))[:200])


def labels_of(images):
    return {label for label, _ in images.values()}


def ours_to_read(found, root):
    files = sorted(path for path in root.rglob("*.jpg"))
    classes = sorted(os.listdir(root))
    with Comparison("reads/what MXNet packed") as comparison:
        prefix = found.scratch / "packed"
        im2rec_py("--list", "--recursive", prefix, root, folder=found.scratch)
        im2rec_py("--pass-through", prefix, root, folder=found.scratch)
        images = {number: (labels[0], (root / path).read_bytes())
                  for number, labels, path in rows(prefix.with_suffix(".lst"))}
        inspected(found, comparison, prefix.with_suffix(".rec"), images, len(images))
    for head_first in (False, True):
        with Comparison(f"reads/face set, record 0 {'first' if head_first else 'after the images'}") as comparison:
            faces = [(path.read_bytes(), classes.index(path.parent.name)) for path in files]
            images, total = insightface.build(found.scratch / "train", faces, head_first)
            inspected(found, comparison, found.scratch / "train.rec", images, total)
    with Comparison("reads/records with the magic number inside") as comparison:
        prefix = str(found.scratch / "magic")
        writer, images = mx.recordio.MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "w"), {}
        magic = b"\x0a\x23\xd7\xce"
        for number, path in enumerate(files[:12]):
            image = path.read_bytes()
            image += b"\0" * (-len(image) % 4) + magic * (number % 4) + b"x" * (number % 5) + magic
            writer.write_idx(number, mx.recordio.pack(mx.recordio.IRHeader(0, number % 3, number, 0), image))
            images[number] = (float(number % 3), image)
        writer.close()
        inspected(found, comparison, found.scratch / "magic.rec", images, len(images))


def merged(found, root):
    """Parts packed apart and merged are the file packed whole; MXNet reads the index."""
    with Comparison("reads/parts and merge") as comparison:
        prefix = found.scratch / "packed"
        run(found.imrec, "pack", f"{prefix}.lst", root, "-o", found.scratch / "whole.rec", "--pass-through", "--quiet")
        parts = [found.scratch / f"part{k}.rec" for k in range(3)]
        for k, part in enumerate(parts):
            result = run(found.imrec, "pack", f"{prefix}.lst", root, "-o", part, "--pass-through", "--quiet",
                         "--num-parts", "3", "--part", str(k))
            comparison.check(f"part {k}: status", result[0] == 0, said(result))
        result = run(found.imrec, "merge", found.scratch / "all.rec", *parts)
        comparison.check("merge: status", result[0] == 0, said(result))
        for suffix in (".rec", ".idx"):
            comparison.bytes(f"merged and whole {suffix}", content(found.scratch / f"all{suffix}"),
                             content(found.scratch / f"whole{suffix}"))
        comparison.bytes("whole and im2rec.py's", content(found.scratch / "whole.rec"),
                         content(found.scratch / "packed.rec"))


def main():
    found = arguments(__doc__)
    root = class_tree(found)
    converted(found, "reads/convert, re-encoded", root, SHARE, ["--resize", "48", "--quality", "90"])
    converted(found, "reads/convert, pass-through", root, SHARE, ["--pass-through"])
    ours_to_read(found, root)
    merged(found, root)
    if found.photos:
        smallest = min(len(os.listdir(path)) for path in found.photos.iterdir())
        converted(found, "reads/convert, photographs", found.photos.resolve(), min(20, smallest - 1),
                  ["--resize", "256"])
    finish()


if __name__ == "__main__":
    main()

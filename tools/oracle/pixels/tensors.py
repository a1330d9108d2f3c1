"""Compares `imrec tensors` with MXNet's ImageRecordIter at evaluation, bit for bit, records in order, labels included.

Three kinds stay out, as MXNet 1.9.1 carries older libraries than im2rec.py's OpenCV 4.8: 4:4:0 JPEG (libjpeg-turbo
2.0 interpolates it differently), PNG with an EXIF chunk (OpenCV 3.4 does not turn it), and EXIF whose last value
ends a byte outside of its block (OpenCV 3.4 still takes the orientation).
"""
import itertools
import os

import mxnet as mx
import numpy as np

from oracle.comparison import Comparison, arguments, finish, run, said

SHAPES = [(3, 224, 224), (3, 97, 131), (1, 28, 28), (3, 1, 1)]
NORMAL = {"mean": (123.68, 116.779, 103.939), "std": (58.393, 57.12, 57.375)}


def images_of(root):
    """The images below a folder with the label of their folder, in the order of im2rec.py."""
    labels = {}
    for folder, folders, files in os.walk(root):
        folders.sort()
        for file in sorted(files):
            named = os.path.splitext(file)[1].lower() in (".jpg", ".jpeg", ".png")
            if named and not file.startswith("440") and "edge-over" not in file:
                yield os.path.join(folder, file), labels.setdefault(folder, len(labels))


def pack(prefix, images, width=1):
    """Writes the files' own bytes as records, through MXNet; returns how many."""
    writer = mx.recordio.MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "w")
    count = 0
    for number, (path, label) in enumerate(images):
        labels = label if width == 1 else [label + 0.5 * i for i in range(width)]
        with open(path, "rb") as file:
            writer.write_idx(number, mx.recordio.pack(mx.recordio.IRHeader(0, labels, number, 0), file.read()))
        count += 1
    writer.close()
    return count


def iterate(record, count, shape, resize, dtype, normal, width):
    """ImageRecordIter's batches and labels. The batch divides the count: a last, padded batch repeats records."""
    batch = next(n for n in range(min(16, count), 0, -1) if count % n == 0)
    options = {"path_imgrec": record, "data_shape": shape, "batch_size": batch, "resize": resize or -1,
               "preprocess_threads": 2, "label_width": width, "verbose": False, "prefetch_buffer": 2}
    for name, values in normal.items():
        options.update({f"{name}_{colour}": value for colour, value in zip("rgb", values[:shape[0]])})
    make = mx.io.ImageRecordUInt8Iter if dtype == "uint8" else mx.io.ImageRecordIter
    for item in make(**options):
        yield item.data[0].asnumpy(), item.label[0].asnumpy()


def compare(found, comparison, prefix, count, shape, resize=None, dtype="float32", normal=None, width=1):
    words = ["--shape", ",".join(map(str, shape))] + (["--resize", str(resize)] if resize else [])
    for name, values in (normal or {}).items():
        words += [f"--{name}", ",".join(str(value) for value in values[:shape[0]])]
    words += ["--dtype", dtype] if dtype != "float32" else []
    out = found.scratch / "made.npy"
    name = " ".join(words)
    result = run(found.imrec, "tensors", f"{prefix}.rec", "-o", out, *words)
    if not comparison.check(f"{name}: status", result[0] == 0, said(result)):
        return
    ours, labels = np.load(out, mmap_mode="r"), np.load(out.with_name("made-labels.npy"))
    comparison.check(f"{name}: array", ours.shape == (count, *shape) and ours.dtype == np.dtype(dtype),
                     f"{ours.shape} {ours.dtype}")
    at = 0
    for data, label in iterate(f"{prefix}.rec", count, shape, resize, dtype, normal or {}, width):
        for i in range(len(data)):
            mine, theirs = np.ascontiguousarray(ours[at]), np.ascontiguousarray(data[i].astype(dtype, copy=False))
            same = mine.tobytes() == theirs.tobytes()
            apart = "" if same else f"apart by {np.abs(mine.astype(float) - theirs).max()}"
            comparison.check(f"{name}: record {at}", same, apart)
            comparison.check(f"{name}: label {at}", np.array_equal(np.ravel(labels[at]), np.ravel(label[i])))
            at += 1
    comparison.check(f"{name}: records", at == count, f"{at} of {count}")
    del ours
    out.unlink()


def main():
    found = arguments(__doc__)
    images = [image for part in ("good", "deep", "broken/long") for image in images_of(found.images / part)]
    prefix = str(found.scratch / "images")
    count = pack(prefix, images)
    with Comparison("tensors/shapes and resize") as comparison:
        for shape, resize in itertools.product(SHAPES, [None, 64, 256]):
            compare(found, comparison, prefix, count, shape, resize)
    with Comparison("tensors/mean and std") as comparison:
        compare(found, comparison, prefix, count, (3, 97, 131), 100, normal=NORMAL)
        compare(found, comparison, prefix, count, (3, 64, 64), 64, normal={"mean": NORMAL["mean"]})
        compare(found, comparison, prefix, count, (3, 64, 64), normal={"std": NORMAL["std"]})
        compare(found, comparison, prefix, count, (1, 64, 64), 70, normal=NORMAL)
    with Comparison("tensors/uint8") as comparison:
        for shape, resize in itertools.product(SHAPES[:3], [None, 100]):
            compare(found, comparison, prefix, count, shape, resize, dtype="uint8")
    with Comparison("tensors/several labels") as comparison:
        labelled = str(found.scratch / "labelled")
        some = pack(labelled, images[:12], width=3)
        compare(found, comparison, labelled, some, (3, 32, 32), 40, width=3)
    if found.photos:
        photos = list(images_of(found.photos))
        with Comparison("tensors/photographs, uint8") as comparison:
            count = pack(prefix, photos)
            compare(found, comparison, prefix, count, (3, 224, 224), 256, dtype="uint8")
        with Comparison("tensors/photographs, float32") as comparison:
            count = pack(prefix, photos[::8])
            compare(found, comparison, prefix, count, (3, 224, 224), 256, normal=NORMAL)
            compare(found, comparison, prefix, count, (3, 224, 224))
    finish()


if __name__ == "__main__":
    main()

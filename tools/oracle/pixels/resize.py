"""Compares the filters of `imrec pack --filter` with cv2.resize: linear and nearest exactly, the others within 1
level."""
import os

import cv2
import numpy as np

from oracle.comparison import Comparison, arguments, finish, run, said
from oracle.records.records import contents

FILTERS = {"linear": (cv2.INTER_LINEAR, 0), "nearest": (cv2.INTER_NEAREST, 0), "area": (cv2.INTER_AREA, 1),
           "cubic": (cv2.INTER_CUBIC, 1), "lanczos": (cv2.INTER_LANCZOS4, 1)}
SIZES = [3, 16, 37, 64, 100, 113, 128, 200, 256, 331]


def pictures(folder):
    """PNG sources, so that only the resize can differ; some shrink by exactly 2, 3 and 4, some grow. Returns their
    list."""
    rng = np.random.default_rng(5)
    lines = []
    for number, (width, height) in enumerate([(256, 256), (300, 200), (200, 301), (64, 64), (16, 16), (1, 1), (5, 3),
                                              (97, 131), (192, 192), (48, 300), (256, 384)]):
        noise = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
        smooth = cv2.resize(rng.integers(0, 256, (4, 4, 3)).astype(np.uint8), (width, height))
        for kind, image in (("noise", noise), ("smooth", smooth)):
            cv2.imwrite(str(folder / f"{kind}-{width}x{height}.png"), image)
            lines.append(f"{len(lines)}\t{number}\t{kind}-{width}x{height}.png")
    (folder / "set.lst").write_text("\n".join(lines) + "\n")
    return [folder / line.split("\t")[2] for line in lines]


def target(image, short):
    """The size for a shorter side of `short`: (width, height), the longer side rounded down."""
    height, width = image.shape[:2]
    return (short, height * short // width) if height > width else (width * short // height, short)


def main():
    found = arguments(__doc__)
    sources = pictures(found.scratch)
    for name, (filter, tolerance) in FILTERS.items():
        for color, flag in (("rgb", 1), ("gray", 0)):
            with Comparison(f"resize/{name}, {color}, within {tolerance}") as comparison:
                for size in SIZES:
                    result = run(found.imrec, "pack", "set.lst", ".", "-o", "set.rec", "--resize", str(size),
                                 "--filter", name,
                                 "--encoding", "png", "--quality", "1", "--color", color, "--quiet",
                                 folder=found.scratch)
                    if not comparison.check(f"{size}: status", result[0] == 0, said(result)):
                        continue
                    for source, (_, packed) in zip(sources, contents(found.scratch / "set")):
                        image = cv2.imread(os.fspath(source), flag)
                        wanted = cv2.resize(image, target(image, size), interpolation=filter)
                        made = cv2.imdecode(np.frombuffer(packed, np.uint8), -1)
                        same_shape = made is not None and made.shape == wanted.shape
                        apart = int(np.abs(made.astype(int) - wanted).max()) if same_shape else 256
                        comparison.check(f"{source.name} to {size}", apart <= tolerance, f"apart by {apart}")
    finish()


if __name__ == "__main__":
    main()

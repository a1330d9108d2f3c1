#!/usr/bin/env python3
"""Writes the test images: generate.py FOLDER [--seed N]. The same seed gives the same bytes (with the same OpenCV).

FOLDER/good    class folders with odd names; every image decodes
FOLDER/deep    16-bit PNG: apart, as `unchanged` colours keep the depth
FOLDER/turned  PNG with an EXIF chunk: apart, as OpenCV 4.8 turns them upright and MXNet's own OpenCV 3.4 does not
FOLDER/broken  damaged files and files that are no images
"""
import argparse
import os
import pathlib
import unicodedata

import cv2
import numpy as np

import jpegs
import pngs

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
CLASSES = ["Zebra", "apple", "a", "a/sub", "a-b", "with space", NFC, NFD, "it's", 'say "hi"', "10", "2", "deep/er/est"]
NAMES = ["1.jpg", "10.jpg", "2.jpg", "B.jpg", "a.jpg", "_.jpg", "é.jpg", "\U0001F600.jpg", "～.jpg", "two words.jpg"]
SAMPLINGS = {"444": 0x111111, "422": 0x211111, "420": 0x221111, "411": 0x411111, "440": 0x121111}
SIZES = [(1, 1), (1, 40), (40, 1), (7, 5), (8, 8), (16, 16), (17, 33), (100, 64), (224, 224), (300, 200), (199, 301),
         (256, 256), (640, 480), (481, 640)]  # width, height


def picture(rng, width, height, channels=3, levels=256):
    """Broad shapes, edges and grain: what a photograph gives a codec to do."""
    coarse = rng.integers(0, 256, (max(2, height // 32 + 2), max(2, width // 32 + 2), channels)).astype(np.float32)
    field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, channels)
    y, x = np.mgrid[0:height, 0:width]
    for _ in range(3):
        cx, cy, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(1, max(width, height) / 3 + 1)
        field[(x - cx) ** 2 + (y - cy) ** 2 < r * r] = rng.integers(0, 256, channels)
    field = np.clip(field + rng.normal(0, 6, field.shape), 0, 255)
    return (field * ((levels - 1) / 255)).astype(np.uint16 if levels > 256 else np.uint8)


def jpeg(pixels, quality=90, sampling="420", **options):
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLINGS[sampling]]
    for name, value in options.items():
        flags += [getattr(cv2, "IMWRITE_JPEG_" + name.upper()), value]
    return cv2.imencode(".jpg", pixels, flags)[1].tobytes()


def jpeg_variants(rng):
    """(what, file) for each kind of JPEG; what becomes a part of the name."""
    for sampling in SAMPLINGS:
        for progressive in (0, 1):
            for width, height in [(97, 61), (33, 50)]:
                yield f"s{sampling}-p{progressive}-{width}", jpeg(picture(rng, width, height), 88, sampling,
                                                                  progressive=progressive)
    for quality in (1, 10, 50, 75, 95, 100):
        yield f"q{quality}", jpeg(picture(rng, 120, 90), quality)
    for width, height in SIZES:
        yield f"size-{width}x{height}", jpeg(picture(rng, width, height), 92)
    for width, height in [(1, 1), (90, 70), (13, 200)]:
        yield f"gray-{width}", jpeg(picture(rng, width, height, 1))
    for orientation in range(0, 10):
        plain = jpeg(picture(rng, 64, 40), 90, "420" if orientation % 2 else "444")
        yield f"exif{orientation}", jpegs.with_exif(plain, orientation, big_endian=orientation % 3 == 0)
    yield "exif6-gray", jpegs.with_exif(jpeg(picture(rng, 50, 31, 1)), 6)
    yield "restart", jpeg(picture(rng, 130, 75), 85, rst_interval=3)
    yield "optimized", jpeg(picture(rng, 75, 130), 85, optimize=1)
    yield "rubbish-after", jpeg(picture(rng, 60, 60)) + b"rubbish after the end"
    colours = picture(rng, 70, 50)
    yield "cmyk-adobe", jpegs.cmyk(colours, 90, 0)
    yield "cmyk-plain", jpegs.cmyk(colours, 90, None, inverted=False)
    yield "ycck", jpegs.cmyk(colours, 90, 2)
    yield "rgb-adobe", jpegs.planes([np.ascontiguousarray(colours[:, :, i]) for i in range(3)], 90, 0)


def png_variants(rng):
    for name, kind, channels in [("gray", pngs.GRAY, 1), ("rgb", pngs.RGB, 3), ("gray-alpha", pngs.GRAY_ALPHA, 2),
                                 ("rgba", pngs.RGBA, 4)]:
        for interlaced in (False, True):
            yield f"{name}-i{int(interlaced)}", pngs.encode(picture(rng, 61, 45, channels), 8, kind, interlaced)
    for depth in (1, 2, 4):
        yield f"gray{depth}", pngs.encode(picture(rng, 45, 61, 1) >> (8 - depth), depth, pngs.GRAY)
    for depth in (1, 4, 8):
        entries = rng.integers(0, 256, (2 ** depth, 3)).astype(np.uint8).tobytes()
        indices = picture(rng, 50, 40, 1) >> (8 - depth)
        yield f"palette{depth}", pngs.encode(indices, depth, pngs.PALETTE, depth == 4, [(b"PLTE", entries)])
        clear = [(b"PLTE", entries), (b"tRNS", bytes([0, 128]))]
        yield f"palette{depth}-clear", pngs.encode(indices, depth, pngs.PALETTE, False, clear)
    yield "rgb-clear", pngs.encode(picture(rng, 30, 20), 8, pngs.RGB, False, [(b"tRNS", bytes([0, 9, 0, 9, 0, 9]))])
    yield "gamma", pngs.encode(picture(rng, 31, 21), 8, pngs.RGB, False, [(b"gAMA", (45455).to_bytes(4, "big"))])
    for width, height in [(1, 1), (1, 30), (300, 200)]:
        yield f"size-{width}x{height}", pngs.encode(picture(rng, width, height), 8, pngs.RGB)


def deep_variants(rng):
    for name, kind, channels in [("gray", pngs.GRAY, 1), ("rgb", pngs.RGB, 3), ("rgba", pngs.RGBA, 4),
                                 ("gray-alpha", pngs.GRAY_ALPHA, 2)]:
        for interlaced in (False, True):
            yield f"{name}16-i{int(interlaced)}", pngs.encode(picture(rng, 53, 37, channels, 65536), 16, kind, interlaced)


def turned_variants(rng):
    for orientation in range(1, 9):
        block = jpegs.exif(orientation, big_endian=orientation % 2 == 0)
        yield f"exif{orientation}", pngs.encode(picture(rng, 41, 23), 8, pngs.RGB, False, [(b"eXIf", block)])


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def good(folder, rng):
    files = [(f"{what}.jpg", file) for what, file in jpeg_variants(rng)]
    files += [(f"{what}.png", file) for what, file in png_variants(rng)]
    for i, (name, file) in enumerate(files):
        write(folder / CLASSES[i % len(CLASSES)] / name, file)
    small = jpeg(picture(rng, 24, 18))
    for name in NAMES:  # the same bytes: only the order of names matters here
        write(folder / "names" / name, small)
    for name in ("Upper.JPG", "mixed.JPeG", "long.jpeg", ".hidden.jpg"):
        write(folder / "apple" / name, small)
    write(folder / "apple" / "LOUD.PNG", pngs.encode(picture(rng, 20, 30), 8, pngs.RGB))
    write(folder / "root.jpg", small)
    write(folder / "Root.png", pngs.encode(picture(rng, 22, 30), 8, pngs.RGB))
    for name in (".jpg", "notes.txt", "photo.jpg.bak", "jpg"):  # none of these counts as an image
        write(folder / "a-b" / name, b"no image")
    write(folder / "texts" / "only.txt", b"this folder gets no label")
    (folder / "empty").mkdir()
    os.symlink("Zebra", folder / "linked class")
    os.symlink("../root.jpg", folder / "10" / "linked file.jpg")


def broken(folder, rng):
    whole, png = jpeg(picture(rng, 200, 150)), pngs.encode(picture(rng, 80, 60), 8, pngs.RGB)
    write(folder / "ok" / "before.jpg", whole)
    write(folder / "unreadable" / "empty.jpg", b"")
    write(folder / "unreadable" / "text.jpg", b"this is no image\n")
    write(folder / "unreadable" / "header-only.jpg", whole[:20])
    write(folder / "unreadable" / "empty.png", b"")
    write(folder / "unreadable" / "signature.png", png[:8])
    write(folder / "truncated" / "half.jpg", whole[:len(whole) // 2])
    write(folder / "truncated" / "no-end.jpg", whole[:-2])
    write(folder / "ok" / "later.png", png)
    write(folder / "z-last" / "after.jpg", whole)


def generate(folder, seed):
    folder = pathlib.Path(folder)
    good(folder / "good", np.random.default_rng(seed))
    broken(folder / "broken", np.random.default_rng(seed + 1))
    for name, variants in [("deep", deep_variants), ("turned", turned_variants)]:
        for i, (what, file) in enumerate(variants(np.random.default_rng(seed + 2))):
            write(folder / name / f"class{i % 2}" / f"{what}.png", file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=20240501)
    arguments = parser.parse_args()
    generate(arguments.folder, arguments.seed)

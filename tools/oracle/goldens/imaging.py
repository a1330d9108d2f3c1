"""Writes the pictures and tables of Tests/ImagingTests/Goldens/codec: imaging.py [FOLDER].

FOLDER/pictures/*  small JPEG and PNG files of every kind
FOLDER/decode.tsv  name, colours, width, height, channels, bytes a sample, CRC-32 of what cv2.imread gives, as RGB
FOLDER/encode.tsv  name, colours, quality, bytes, CRC-32 of what cv2.imencode(".jpg") gives of it
FOLDER/damaged.tsv the same as decode.tsv for the damaged pictures, which OpenCV takes; width 0: it does not
"""
import pathlib
import sys
import zlib

import cv2
import numpy

from oracle.inputs import pictures

MODES = {"rgb": cv2.IMREAD_COLOR, "gray": cv2.IMREAD_GRAYSCALE, "unchanged": cv2.IMREAD_UNCHANGED}
SIZES = ("-17x9.", "-1x1.", "-9x13.", "-100x75.")


def chosen():
    for name, data in [*pictures.pictures(), *pictures.turned_pngs()]:
        size = next((size for size in SIZES if size in name), None)
        if size == "-100x75." and not name.startswith(("420-", "inks-2")):
            continue
        if size == "-1x1." and name.endswith(".png"):
            continue
        if size is not None or "x" not in name.rsplit("-", 1)[-1] or name.startswith("exif"):
            yield name, data


def as_rgb(image):
    if image.ndim == 2:
        return image[:, :, None]
    return image[:, :, {3: [2, 1, 0], 4: [2, 1, 0, 3]}[image.shape[2]]]


def told(name, mode, image):
    if image is None:
        return "\t".join([name, mode, "0", "0", "0", "0", "00000000"])
    samples = numpy.ascontiguousarray(as_rgb(image))
    height, width, channels = samples.shape
    return "\t".join([name, mode, str(width), str(height), str(channels), str(samples.itemsize),
                      f"{zlib.crc32(samples.tobytes()):08x}"])


def write(folder):
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for old in (folder / "pictures").iterdir():
        old.unlink()
    decoded, encoded, kept = [], [], []
    for name, data in chosen():
        path = folder / "pictures" / name
        path.write_bytes(data)
        for mode, flag in MODES.items():
            image = cv2.imread(str(path), flag)
            decoded.append(told(name, mode, image))
            if "17x9" in name or "9x13" in name or "100x75" in name:
                quality = (95, 60, 0, 100, 1, 130, -3)[len(decoded) % 7]
                data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
                encoded.append("\t".join([name, mode, str(quality), str(len(data)), f"{zlib.crc32(data):08x}"]))
    for name, data in pictures.damaged(seed=1, count=30):
        path = folder / "pictures" / name
        path.write_bytes(data)
        for mode, flag in MODES.items():
            kept.append(told(name, mode, cv2.imread(str(path), flag)))
    for table, lines in (("decode", decoded), ("encode", encoded), ("damaged", kept)):
        (folder / f"{table}.tsv").write_text("\n".join(lines) + "\n")
    total = sum(path.stat().st_size for path in (folder / "pictures").iterdir())
    print(f"{len(list((folder / 'pictures').iterdir()))} pictures, {total} bytes, {len(decoded)} decoded, "
          f"{len(encoded)} encoded, {len(kept)} damaged")


if __name__ == "__main__":
    root = pathlib.Path(__file__).resolve().parents[3]
    write(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "Tests/ImagingTests/Goldens/codec")

"""Writes the goldens of augmented tensors: Tests/ImagingTests/Goldens/augmentation.json, by MXNet's ImageRecordIter.

Run it with the Python of requirements/mxnet.txt. The draws are those that ImageRecordIter makes from its `seed_aug`.
"""
import base64
import json
import pathlib
import tempfile

import cv2
import mxnet as mx
import numpy as np

from oracle.pixels.augmentation import LEVELS, MAGIC, SEED, Draws, order
from oracle.pixels.tensors import pack

GOLDENS = pathlib.Path(__file__).resolve().parents[3] / "Tests/ImagingTests/Goldens"
NAMES = ["across", "down", "shear", "angle", "ratio", "fill", "hue", "saturation", "lightness", "mirrored"]
# File (width, height), resize, shape, fill.
CASES = [((40, 33), None, (3, 16, 14), 127), ((33, 40), 20, (3, 16, 14), 0), ((24, 24), 30, (3, 30, 30), 255)]


def picture(width, height):
    """Soft colours of all hues with a hard edge, as a PNG file."""
    noise = np.random.RandomState(width).randint(0, 256, (height // 4 + 1, width // 4 + 1, 3), np.uint8)
    image = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    image[: height // 3, : width // 3] = (0, 0, 255)
    return cv2.imencode(".png", image)[1].tobytes()


def tensor(folder, path, level, resize, shape, fill):
    prefix = str(folder / "one")
    pack(prefix, [(path, 0)])
    iterator = mx.io.ImageRecordIter(
        path_imgrec=f"{prefix}.rec", data_shape=shape, batch_size=1, resize=resize or -1, preprocess_threads=1,
        seed_aug=SEED, fill_value=fill, verbose=False, **level)
    return next(iter(iterator)).data[0].asnumpy()[0].astype(np.uint8)


def main():
    files, cases = {}, []
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        for size, resize, shape, fill in CASES:
            name = f"{size[0]}x{size[1]}"
            content = picture(*size)
            files[name] = base64.b64encode(content).decode()
            (folder / name).write_bytes(content)
            rows, columns = size[1], size[0]
            if resize:
                rows, columns = ((resize * rows // columns, resize) if rows > columns
                                 else (resize, resize * columns // rows))
            for level in LEVELS.values():
                drawn = order(Draws(SEED + MAGIC), level, (rows, columns), shape, fill)
                made = tensor(folder, folder / name, level, resize, shape, fill)
                draw = {key: float(value) for key, value in zip(NAMES, drawn) if value != "-"}
                cases.append({"file": name, "resize": resize, "shape": shape, "draw": draw,
                              "tensor": base64.b64encode(made.tobytes()).decode()})
    (GOLDENS / "augmentation.json").write_text(json.dumps({"files": files, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()

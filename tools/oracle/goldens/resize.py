"""Writes the goldens of resizing and of tensors: Tests/ImagingTests/Goldens/resize.json and tensors.json.

Run it with the Python of requirements/mxnet.txt on a processor with AVX2: cv2 makes the resizes, MXNet's
ImageRecordIter the tensors. For cubic OpenCV's own code is asked, not Intel's IPP inside it.
"""
import base64
import json
import pathlib
import tempfile

import cv2
import mxnet as mx
import numpy as np

GOLDENS = pathlib.Path(__file__).resolve().parents[3] / "Tests/ImagingTests/Goldens"
FILTERS = {"linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA, "cubic": cv2.INTER_CUBIC,
           "lanczos": cv2.INTER_LANCZOS4, "nearest": cv2.INTER_NEAREST}
# Up, down, mixed, the same, halves of both sides or one, whole and nearly whole factors, single pixels and rows.
SIZES = [(20, 13, 41, 29), (61, 47, 19, 23), (31, 17, 12, 40), (24, 18, 24, 18), (38, 26, 19, 13), (38, 26, 19, 20),
         (57, 36, 19, 12), (60, 20, 15, 10), (49, 33, 48, 32), (1, 1, 7, 5), (33, 1, 59, 3), (1, 40, 1, 17),
         (100, 9, 3, 2), (27, 5, 56, 46)]


def noise(seed, count):
    """Bytes of SplitMix64, one a word, as the tests make them."""
    with np.errstate(over="ignore"):
        words = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9e3779b97f4a7c15)
        words = (words ^ words >> np.uint64(30)) * np.uint64(0xbf58476d1ce4e5b9)
        words = (words ^ words >> np.uint64(27)) * np.uint64(0x94d049bb133111eb)
        return (words ^ words >> np.uint64(31)).astype(np.uint8)


def checksum(data):
    """FNV-1a of 64 bits."""
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return f"{value:016x}"


def resizes():
    for number, (width, height, new_width, new_height) in enumerate(SIZES):
        for depth, channels in [(8, 1), (8, 3), (8, 4), (16, 1), (16, 3), (16, 4)]:
            seed = number * 10 + channels
            samples = noise(seed, width * height * channels * depth // 8)
            if number % 3 == 1:
                samples = np.where(samples < 128, 0, 255).astype(np.uint8)  # overshoots have to be clamped
            image = samples.view(np.uint16 if depth == 16 else np.uint8).reshape(height, width, channels)
            for name, flag in FILTERS.items():
                cv2.ipp.setUseIPP(name != "cubic")
                made = cv2.resize(image, (new_width, new_height), interpolation=flag)
                yield {"filter": name, "depth": depth, "channels": channels, "from": [width, height],
                       "to": [new_width, new_height], "seed": seed, "hard": number % 3 == 1,
                       "checksum": checksum(made.tobytes())}


def files():
    """Small pictures by name, encoded."""
    def smooth(width, height, seed):
        coarse = noise(seed, 6 * 5 * 3).reshape(5, 6, 3)
        return cv2.resize(coarse, (width, height))

    def encoded(extension, image):
        return cv2.imencode(extension, image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()

    jpeg = encoded(".jpg", smooth(120, 77, 1))
    turned = (b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0")
    return {
        "landscape.jpg": jpeg,
        "portrait.jpg": encoded(".jpg", smooth(61, 143, 2)),
        "turned.jpg": jpeg[:2] + turned + jpeg[2:],
        "grey.jpg": encoded(".jpg", smooth(90, 70, 3)[:, :, 0]),
        "noise.png": encoded(".png", noise(4, 23 * 31 * 3).reshape(31, 23, 3)),
        "long.png": encoded(".png", noise(5, 40 * 3 * 3).reshape(3, 40, 3)),
        "double.png": encoded(".png", smooth(80, 64, 6)),
    }


def iterate(file, preset, dtype):
    """The tensor of one record."""
    with tempfile.TemporaryDirectory() as folder:
        writer = mx.recordio.MXRecordIO(f"{folder}/one.rec", "w")
        writer.write(mx.recordio.pack(mx.recordio.IRHeader(0, 0.0, 0, 0), file))
        writer.close()
        options = {f"{name}_{colour}": value for name in ("mean", "std")
                   for colour, value in zip("rgb", preset[name])}
        make = mx.io.ImageRecordUInt8Iter if dtype == "uint8" else mx.io.ImageRecordIter
        for batch in make(path_imgrec=f"{folder}/one.rec", data_shape=tuple(preset["shape"]), batch_size=1,
                          resize=preset["resize"] or -1, preprocess_threads=1, verbose=False, **options):
            return batch.data[0].asnumpy()[0]


def squash(file, preset):
    """What SageMaker's endpoint does: no crop. No iterator of MXNet does it."""
    channels, height, width = preset["shape"]
    image = cv2.imdecode(np.frombuffer(file, np.uint8), int(channels == 3))
    planes = np.atleast_3d(cv2.resize(image, (width, height)))[:, :, ::-1].transpose(2, 0, 1).astype(np.float32)
    mean, std = (np.array(preset[name][:channels], np.float32)[:, None, None] for name in ("mean", "std"))
    return (planes - mean) * (np.float32(1) / std)


def tensors():
    zero, one = [0, 0, 0], [1, 1, 1]
    mean, std = [123.68, 116.779, 103.939], [58.393, 57.12, 57.375]
    plans = [  # mode, resize, shape, mean, std
        ("crop", 48, [3, 32, 32], mean, std), ("crop", None, [3, 20, 21], zero, one),
        ("crop", None, [3, 90, 100], mean, one), ("crop", 32, [3, 48, 70], zero, std),
        ("crop", 40, [1, 28, 36], [120, 0, 0], [64, 1, 1]), ("crop", None, [3, 160, 33], zero, one),
        ("crop", 32, [3, 31, 17], mean, std), ("squash", None, [3, 36, 50], mean, std),
        ("squash", None, [1, 28, 28], zero, one),
    ]
    sources = files()
    for mode, resize, shape, mean, std in plans:
        preset = {"mode": mode, "resize": resize, "shape": shape, "mean": mean, "std": std, "filter": "linear"}
        for name, file in sources.items():
            if mode == "squash":
                yield {"file": name, "preset": preset, "type": "float32",
                       "checksum": checksum(squash(file, preset).tobytes())}
                continue
            for dtype in ("float32", "uint8"):
                made = iterate(file, preset, dtype).astype(dtype)
                yield {"file": name, "preset": preset, "type": dtype, "checksum": checksum(made.tobytes())}


def write(name, content):
    lines = ",\n".join(f"  {json.dumps(case)}" for case in content.pop("cases"))
    head = json.dumps(content, indent=1)[:-2]
    (GOLDENS / name).write_text(f'{head},\n "cases": [\n{lines}\n ]\n}}\n')


def main():
    versions = {"cv2": cv2.__version__, "mxnet": mx.__version__, "numpy": np.__version__}
    write("resize.json", {"versions": versions, "cases": list(resizes())})
    encoded = {name: base64.b64encode(file).decode() for name, file in files().items()}
    write("tensors.json", {"versions": versions, "files": encoded, "cases": list(tensors())})


if __name__ == "__main__":
    main()

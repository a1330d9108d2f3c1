"""Compares the augmentation of training images with MXNet's ImageRecordIter.

Given `seed_aug`, ImageRecordIter seeds an std::mt19937 anew for each image; the same draws are made here and given to
`augmentations tensors`, so that each tensor can be compared number by number. The distributions of our own draws are
those of the formulas that these comparisons confirm; ImagingTests asks for them.
"""
import os
import subprocess

import mxnet as mx
import numpy as np

from oracle.comparison import Comparison, arguments, finish
from oracle.pixels.tensors import images_of, pack

LEVELS = {
    "crop": {"rand_crop": True, "rand_mirror": True},
    "crop_color": {"rand_crop": True, "rand_mirror": True, "random_h": 36, "random_s": 50, "random_l": 50},
    "crop_color_transform": {
        "rand_crop": True, "rand_mirror": True, "random_h": 36, "random_s": 50, "random_l": 50, "max_rotate_angle": 10,
        "max_shear_ratio": 0.1, "max_aspect_ratio": 0.25},
    "transform of the middle": {"max_rotate_angle": 45, "max_shear_ratio": 0.5, "max_aspect_ratio": 0.5},
    "hue": {"random_h": 180}, "saturation": {"random_s": 255}, "lightness": {"random_l": 255},
}
SEED, MAGIC = 7, 111
F = np.float32


class Draws:
    """libstdc++'s distributions over its std::mt19937."""

    def __init__(self, seed):
        self.words = iter(np.random.RandomState(seed)._bit_generator.random_raw(64).tolist())

    def unit(self):
        return F(F(next(self.words)) / F(2 ** 32))

    def whole(self, least, most):
        count = most - least + 1
        scaling = (2 ** 32 - 1) // count
        while True:
            word = next(self.words)
            if word < scaling * count:
                return least + word // scaling

    def coin(self):
        low, high = next(self.words), next(self.words)
        return (low + high * 2.0 ** 32) / 2.0 ** 64 < 0.5


def order(draws, level, size, shape, fill):
    """The draws for one image of a size (rows, columns), as a line for `augmentations tensors`."""
    warp = ["-", "-", "-"]
    rotate, shear = level.get("max_rotate_angle", 0), F(level.get("max_shear_ratio", 0))
    aspect = F(level.get("max_aspect_ratio", 0))
    if rotate or shear or aspect:
        sheared = F(F(draws.unit() * shear) * F(2)) - shear
        angle = draws.whole(-rotate, rotate)
        draws.unit()  # the scale, which is 1
        ratio = F(draws.unit() * ((F(1) + aspect) - (F(1) - aspect))) + (F(1) - aspect)
        warp = [repr(float(sheared)), angle, repr(float(F(ratio)))]
    place = ["-", "-"]
    if level.get("rand_crop"):
        spare = [size[0] - shape[1], size[1] - shape[2]]
        down = draws.whole(0, spare[0])
        across = draws.whole(0, spare[1])
        place = [(across + 0.5) / (spare[1] + 1), (down + 0.5) / (spare[0] + 1)]
    offsets = ["-", "-", "-"]
    ranges = [level.get(f"random_{name}", 0) for name in "hsl"]
    if any(ranges):
        for number, most in enumerate(ranges):
            share = draws.unit()
            share = F(F(share + F(F(4) * draws.unit())) / F(5))
            offsets[number] = int(F(F(F(share * F(most)) * F(2)) - F(most)))
    mirrored = int(bool(level.get("rand_mirror")) and draws.coin())
    return [*place, *warp, fill, *offsets, mirrored]


def sizes(images, resize, imdecode):
    for path, _ in images:
        with open(path, "rb") as file:
            rows, columns = imdecode(file.read()).shape[:2]
        if resize:
            rows, columns = (resize * rows // columns, resize) if rows > columns else (resize, resize * columns // rows)
        yield rows, columns


def compare(found, comparison, program, prefix, images, shape, resize, name, fill=127):
    level = LEVELS[name]
    batch = 1
    theirs = []
    iterator = mx.io.ImageRecordIter(
        path_imgrec=f"{prefix}.rec", data_shape=shape, batch_size=batch, resize=resize or -1, preprocess_threads=1,
        seed_aug=SEED, fill_value=fill, verbose=False, **level)
    for item in iterator:
        theirs.append(item.data[0].asnumpy()[0])
    lines = []
    for number, ((path, _), size) in enumerate(zip(images, sizes(images, resize, mx.image.imdecode))):
        draws = Draws(SEED + MAGIC + number)
        fields = order(draws, level, size, shape, fill)
        lines.append(" ".join(map(str, [",".join(map(str, shape)), resize or "-", *fields, path])))
    made = subprocess.run([os.fspath(program), "tensors"], input="\n".join(lines).encode(), capture_output=True)
    ours = np.frombuffer(made.stdout, np.float32)
    if not comparison.check(f"{name}: tensors", made.returncode == 0 and ours.size == len(images) * np.prod(shape),
                            made.stderr.decode(errors="replace")):
        return
    ours = ours.reshape(len(images), *shape)
    shifts = any(level.get(f"random_{name}") for name in "hsl")
    for number, (mine, peer) in enumerate(zip(ours, theirs)):
        apart = np.abs(mine - peer)
        # OpenCV's colours there and back round otherwise where a number lies half-way: by one level, and rarely.
        comparison.check(f"{name}: {os.path.basename(images[number][0])}",
                         apart.max() <= (1 if shifts else 0) and (apart > 0).mean() < 0.005,
                         f"{(apart > 0).mean():.2%} apart, by {apart.max()}; {lines[number]}")


def large(images):
    """Those out of which every shape below can be cut, as they are and resized; upright JPEGs."""
    for path, label in images:
        with open(path, "rb") as file:
            rows, columns = mx.image.imdecode(file.read()).shape[:2]
        if path.endswith(".jpg") and rows >= 64 and columns >= 48:
            yield path, label


def main():
    found = arguments(__doc__)
    program = found.imrec.with_name("augmentations")
    # Without photographs, the made pictures that are large enough and that both sides read alike.
    images = list(images_of(found.photos))[::60] if found.photos else large(images_of(found.images / "good"))
    prefix = str(found.scratch / "augmented")
    images = list(images)
    pack(prefix, images)
    for name in LEVELS:
        with Comparison(f"augmentation/{name}") as comparison:
            compare(found, comparison, program, prefix, images, (3, 112, 96), 130, name)
            compare(found, comparison, program, prefix, images, (3, 64, 48), None, name, fill=255)
    finish()


if __name__ == "__main__":
    main()

"""The functions that searches are measured on: each is minimised, its least value is known."""
import math

# Of each rule of descent: its offset, the logarithm of its best rate, its best depth.
CHOICES = {"sgd": (0.10, -1.0, 6), "nag": (0.0, -1.5, 9), "adam": (0.05, -3.0, 4), "rmsprop": (0.25, -3.5, 11)}

HARTMANN_WEIGHTS = (1.0, 1.2, 3.0, 3.2)
HARTMANN_SCALES = ((10, 3, 17, 3.5, 1.7, 8), (0.05, 10, 17, 0.1, 8, 14), (3, 3.5, 1.7, 10, 17, 8),
                   (17, 8, 0.05, 10, 0.1, 14))
HARTMANN_CENTRES = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886), (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650), (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381))


def branin(x, y):
    bend = y - 5.1 / (4 * math.pi ** 2) * x ** 2 + 5 / math.pi * x - 6
    return bend ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def hartmann6(*x):
    return -sum(weight * math.exp(-sum(scale * (value - centre) ** 2
                                       for scale, value, centre in zip(scales, x, centres)))
                for weight, scales, centres in zip(HARTMANN_WEIGHTS, HARTMANN_SCALES, HARTMANN_CENTRES))


def mixed(rate, batch, depth, rule):
    """A training's loss, made up: the best rate depends on the rule and on the batch, the best depth on the rule."""
    offset, best, deep = CHOICES[rule]
    size = math.log2(batch / 64)
    away = math.log10(rate) - best - 0.15 * size
    return offset + 1 - math.exp(-away ** 2 / 2) + 0.03 * size ** 2 + 0.02 * (depth - deep) ** 2


# name: (function, least value, parameters); a parameter is (name, kind, ...)
FUNCTIONS = {
    "branin": (branin, 0.39788735772973816, [("x", "real", -5, 10, "linear"), ("y", "real", 0, 15, "linear")]),
    "hartmann6": (hartmann6, -3.3223680114155147, [(f"x{i}", "real", 0, 1, "linear") for i in range(6)]),
    "mixed": (mixed, 0.0, [("rate", "real", 1e-6, 1, "log"), ("batch", "integer", 8, 512, "log"),
                           ("depth", "integer", 1, 16, "linear"), ("rule", "choice", tuple(CHOICES))]),
}

"""Writes what scikit-learn's GaussianProcessRegressor says, for the tests of Search.

  search.py FOLDER     writes FOLDER/gaussian-process.json

Python packages: requirements/score.txt. The cases are seeded; a category is a one-hot code divided by the square root
of 2.
"""
import json
import pathlib
import sys

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

# Points, observations asked for, and the number of categories of each parameter (0: a number).
CASES = [(1, 3, [0]), (5, 4, [0]), (12, 6, [0, 0]), (30, 10, [0] * 6), (25, 8, [0, 4, 0, 3]), (60, 10, [0, 0, 2])]


def coded(rows, categories, lengths):
    """One column a number, and one a category's value; and a length for each column."""
    columns, scales = [], []
    for k, count in enumerate(categories):
        if count == 0:
            columns.append(rows[:, k])
            scales.append(lengths[k])
        for value in range(count):
            columns.append((rows[:, k] == value) / np.sqrt(2))
            scales.append(lengths[k])
    return np.stack(columns, axis=1), np.array(scales)


def case(seed, count, asked, categories):
    random = np.random.default_rng(seed)
    draw = lambda n: np.stack([random.integers(0, c, n).astype(float) if c else random.random(n) for c in categories],
                              axis=1)
    points, others, targets = draw(count), draw(asked), random.normal(size=count)
    lengths, signal = np.exp(random.normal(-0.5, 0.6, len(categories))), float(np.exp(random.normal(0, 0.5)))
    noise = float(10 ** random.uniform(-3, -1))
    noises = noise * np.where(random.random(count) < 0.3, 20.0, 1.0)
    x, scales = coded(points, categories, lengths)
    z, _ = coded(others, categories, lengths)
    kernel = ConstantKernel(signal) * Matern(length_scale=scales, nu=2.5)
    process = GaussianProcessRegressor(kernel, alpha=noises, optimizer=None).fit(x, targets)
    mean, covariance = process.predict(z, return_cov=True)
    noisy = GaussianProcessRegressor(kernel + WhiteKernel(noise), alpha=0, optimizer=None).fit(x, targets)
    likelihood, gradient = noisy.log_marginal_likelihood(noisy.kernel_.theta, eval_gradient=True)
    # In the order signal, a length for each column, noise: columns of one parameter share their length.
    owners = [k for k, c in enumerate(categories) for _ in range(max(c, 1))]
    shared = [float(sum(gradient[1 + i] for i, owner in enumerate(owners) if owner == k))
              for k in range(len(categories))]
    return {
        "isCategory": [c > 0 for c in categories], "points": points.tolist(), "targets": targets.tolist(),
        "lengths": lengths.tolist(), "signal": signal, "noise": noise, "noises": noises.tolist(),
        "asked": others.tolist(),
        "means": mean.tolist(), "covariance": covariance.tolist(), "likelihood": float(likelihood),
        "gradient": shared + [float(gradient[0]), float(gradient[-1])],
    }


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    cases = [case(seed, *shape) for seed, shape in enumerate(CASES)]
    path = pathlib.Path(sys.argv[1]) / "gaussian-process.json"
    path.write_text("[" + ",\n".join(map(json.dumps, cases)) + "]\n")


if __name__ == "__main__":
    main()

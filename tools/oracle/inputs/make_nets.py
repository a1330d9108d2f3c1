"""Makes the networks that the engines are measured on, as model folders, with pictures and what MXNet says of them.

    make_nets.py FOLDER [NAME...]     names: resnet18, resnet50, resnet18-v1, ...; without: the four that are measured
"""
import json
import pathlib
import re
import sys

import cv2
import numpy as np

from oracle.inputs import residual_nets as nets

SHAPE = (3, 224, 224)


def main():
    root, names = pathlib.Path(sys.argv[1]), sys.argv[2:] or ["resnet18", "resnet50", "resnet18-v1", "resnet50-v1"]
    for name in names:
        depth, version = re.fullmatch(r"resnet(\d+)(?:-v(\d))?", name).groups()
        depth, version = int(depth), int(version or 2)
        symbol = nets.network(depth, version, SHAPE, 1000)
        arguments, auxiliary = nets.filled(symbol, SHAPE, seed=depth,
                                           branch=nets.gentle_branch(depth, version, SHAPE[1]))
        nets.save(root / name, symbol, arguments, auxiliary, SHAPE)
        images = nets.pictures(np.random.default_rng(1), 4, SHAPE)
        found = nets.forward(symbol, arguments, auxiliary, images)
        np.savez(root / name / "expected.npz", images=images, probabilities=found)
        (root / name / "pictures").mkdir(exist_ok=True)
        for index, image in enumerate(images.astype(np.uint8)):
            cv2.imwrite(str(root / name / "pictures" / f"{index}.png"), image.transpose(1, 2, 0)[:, :, ::-1])
        (root / name / "expected.json").write_text(json.dumps(found.tolist()))
        print(name, "top-1", found.argmax(axis=1), "of", found.max(axis=1), flush=True)


main()

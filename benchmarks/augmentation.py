"""Images a second that `ImageDataGenerator` makes of 32x32 pictures (rotation, shift, shear, zoom, flip).

    python benchmarks/augmentation.py [--keras-python /path/to/an/environment/with/tf_keras/bin/python]

One thread; the best of five rounds of 2,048 images, in batches of 32, counts.
Measured on 2 cores of a shared machine, both in one run:

| | images a second |
|---|---|
| kcore | 7,995 |
| tf-keras 2.21 (SciPy) | 5,043 |
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import numpy as np


def rate(generator_class: type, radians: bool) -> float:
    """Images a second."""
    shear = 0.2 if radians else np.rad2deg(0.2)
    augment = generator_class(
        rotation_range=20,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=shear,
        zoom_range=0.2,
        horizontal_flip=True,
    )
    flow = augment.flow(np.random.RandomState(0).uniform(0, 255, (2048, 32, 32, 3)).astype("float32"), batch_size=32)
    rounds = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(64):
            next(flow)
        rounds.append(time.perf_counter() - start)
    return 2048 / min(rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keras-python", help="a Python that has tf_keras")
    parser.add_argument("--keras", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.keras:
        from tf_keras.preprocessing.image import ImageDataGenerator as Other

        print(f"tf-keras: {rate(Other, radians=False):,.0f} images/s")
        return
    from kcore.preprocessing.image import ImageDataGenerator

    print(f"kcore: {rate(ImageDataGenerator, radians=True):,.0f} images/s", flush=True)
    if arguments.keras_python:
        subprocess.run([arguments.keras_python, sys.argv[0], "--keras"], check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()

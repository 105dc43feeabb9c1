"""Images a second that `ImageDataGenerator` makes of 32x32 pictures (rotation, shift, shear, zoom, flip).

    python benchmarks/augmentation.py [--keras-python /path/to/an/environment/with/tf_keras/bin/python]

One thread; the best of five rounds of 2,048 images, in batches of 32, counts.

    python benchmarks/augmentation.py --training

While a small CNN trains on these batches under `fit_generator`: images that the model trained on a second, and
images that a worker made in a second of its own work (the cores are shared with the training); the best of five epochs
of 2,048 images. The tables are in augmentation.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from typing import Any

import numpy as np

MOVES = {
    "rotation_range": 20,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "shear_range": 0.2,
    "zoom_range": 0.2,
    "horizontal_flip": True,
}


def rate(generator_class: type, radians: bool) -> float:
    """Images a second."""
    shear = 0.2 if radians else np.rad2deg(0.2)
    augment = generator_class(**{**MOVES, "shear_range": shear})
    flow = augment.flow(np.random.RandomState(0).uniform(0, 255, (2048, 32, 32, 3)).astype("float32"), batch_size=32)
    rounds = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(64):
            next(flow)
        rounds.append(time.perf_counter() - start)
    return 2048 / min(rounds)


def training() -> None:
    """Prints the images a second trained on, and made, with one and two workers, and with images as they are."""
    from kcore.layers import Conv2D, Dense, Flatten, MaxPooling2D
    from kcore.models import Sequential
    from kcore.preprocessing.image import ImageDataGenerator
    from kcore.utils import Sequence

    class Timed(Sequence):
        """The flow, with the time that its batches took to make."""

        def __init__(self, flow: Any) -> None:
            self.flow, self.seconds, self.images = flow, 0.0, 0

        def __len__(self) -> int:
            return len(self.flow)

        def __getitem__(self, index: int) -> Any:
            start = time.perf_counter()
            batch = self.flow[index]
            self.seconds += time.perf_counter() - start
            self.images += len(batch[0])
            return batch

        def on_epoch_end(self) -> None:
            self.flow.on_epoch_end()

    x = np.random.RandomState(0).uniform(0, 1, (2048, 32, 32, 3)).astype("float32")
    y = np.eye(10, dtype="float32")[np.arange(2048) % 10]
    model = Sequential(
        [
            Conv2D(16, 3, activation="relu", input_shape=(32, 32, 3)),
            MaxPooling2D(),
            Conv2D(32, 3, activation="relu"),
            MaxPooling2D(),
            Flatten(),
            Dense(10, activation="softmax"),
        ]
    )
    model.compile("sgd", "categorical_crossentropy")
    for name, arguments, workers in (
        ("images as they are, 1 worker", {}, 1),
        ("augmented, 1 worker", MOVES, 1),
        ("augmented, 2 workers", MOVES, 2),
    ):
        flow = ImageDataGenerator(**arguments).flow(x, y, batch_size=32)
        trained, made = [], []
        for _ in range(6):  # the first one compiles
            timed = Timed(flow)
            start = time.perf_counter()
            model.fit_generator(timed, workers=workers, verbose=0)
            trained.append(2048 / (time.perf_counter() - start))
            made.append(timed.images / timed.seconds)
        print(f"| {name} | {max(trained[1:]):,.0f} | {max(made[1:]):,.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keras-python", help="a Python that has tf_keras")
    parser.add_argument("--training", action="store_true", help="measure while a model trains")
    parser.add_argument("--keras", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.training:
        training()
        return
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

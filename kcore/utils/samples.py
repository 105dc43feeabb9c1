"""Random data to try a model on."""

from __future__ import annotations

import numpy as np

Arrays = tuple[np.ndarray, np.ndarray]


def get_test_data(
    num_train: int = 1000,
    num_test: int = 500,
    input_shape: tuple[int, ...] = (10,),
    output_shape: tuple[int, ...] = (2,),
    classification: bool = True,
    num_classes: int = 2,
) -> tuple[Arrays, Arrays]:
    """Training and test data that a model can learn: noise around a value for each class.

    Args:
        num_train, num_test: number of samples.
        input_shape: shape of a sample.
        output_shape: shape of a target, for regression.
        classification: targets are class numbers `(samples,)`; else arrays `(samples, *output_shape)`.
        num_classes: number of classes.

    Returns:
        `(x_train, y_train), (x_test, y_test)`.
    """
    samples = num_train + num_test
    centre = np.random.randint(0, num_classes, size=samples)
    x = np.random.normal(centre.reshape(-1, *(1,) * len(input_shape)), 0.7, size=(samples, *input_shape))
    if classification:
        y = centre
    else:
        y = np.random.normal(centre.reshape(-1, *(1,) * len(output_shape)), 0.7, size=(samples, *output_shape))
    return (x[:num_train], y[:num_train]), (x[num_train:], y[num_train:])

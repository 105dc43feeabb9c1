"""kcore's loss functions: the 14 of Keras 2.1.6, and their short names as entry points."""

from kcore_losses.classification import (
    binary_crossentropy,
    categorical_crossentropy,
    categorical_hinge,
    hinge,
    kullback_leibler_divergence,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from kcore_losses.regression import (
    cosine_proximity,
    logcosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
)

__all__ = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "categorical_hinge",
    "cosine_proximity",
    "hinge",
    "kullback_leibler_divergence",
    "logcosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]

"""Pooling over whole inputs: one number for each channel."""

from __future__ import annotations

from typing import Any, ClassVar

from kcore import backend as K
from kcore.engine import InputSpec, Layer
from kcore.shapes import normalize_data_format


class _Global(Layer):
    """Reduces all `rank` spatial axes with the function of `K` named `reduction`."""

    rank = 2
    reduction: ClassVar[str] = "max"

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = normalize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Any) -> Any:
        first = 2 if self.data_format == "channels_first" else 1
        return getattr(K, self.reduction)(inputs, axis=list(range(first, first + self.rank)))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], input_shape[1 if self.data_format == "channels_first" else -1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class _Global1D(_Global):
    rank = 1

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(kwargs.pop("data_format", "channels_last"), **kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.data_format == "channels_last":  # not an argument of Keras 2.1.6, whose files leave it out
            del config["data_format"]
        return config


class GlobalMaxPooling1D(_Global1D):
    """The largest element over all steps (manual, 5.4.7): ``(batch, steps, features)`` to ``(batch, features)``."""


class GlobalAveragePooling1D(_Global1D):
    """The mean over all steps (manual, 5.4.8): ``(batch, steps, features)`` to ``(batch, features)``."""

    reduction = "mean"


class GlobalMaxPooling2D(_Global):
    """The largest element over all pixels (manual, 5.4.9): ``(batch, channels)``.

    Args:
        data_format: "channels_last" or "channels_first"; by default `K.image_data_format()`.
    """


class GlobalAveragePooling2D(_Global):
    """The mean over all pixels (manual, 5.4.10): ``(batch, channels)``; argument as in `GlobalMaxPooling2D`."""

    reduction = "mean"


class GlobalMaxPooling3D(_Global):
    """The largest element over all voxels: ``(batch, channels)``; argument as in `GlobalMaxPooling2D`."""

    rank = 3


class GlobalAveragePooling3D(_Global):
    """The mean over all voxels: ``(batch, channels)``; argument as in `GlobalMaxPooling2D`."""

    rank = 3
    reduction = "mean"

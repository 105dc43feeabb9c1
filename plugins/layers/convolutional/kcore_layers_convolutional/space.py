"""Layers that only move pixels: cropping, zero padding, up-sampling."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.engine import InputSpec, Layer
from kcore.errors import ArgumentError, ShapeError
from kcore.shapes import normalize_data_format, plain, positive_ints

Pairs = tuple[tuple[int, int], ...]


class _Spatial(Layer):
    """A layer that changes the lengths of `rank` spatial axes; `setting` names its argument."""

    rank = 2
    setting = ""

    def __init__(self, value: Any, data_format: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = "channels_last" if self.rank == 1 else normalize_data_format(data_format)
        setattr(self, self.setting, self.read(value))
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def read(self, value: Any) -> Any:
        """The setting that the user gave, in the form in which the layer holds it."""
        return pairs(value, self.rank, self)

    @property
    def first_axis(self) -> int:
        """The first spatial axis."""
        return 2 if self.data_format == "channels_first" else 1

    def new_length(self, length: int, i: int) -> int:
        """The output's length for this length of spatial axis number `i`."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = list(input_shape)
        for i in range(self.rank):
            axis = self.first_axis + i
            if shape[axis] is not None:
                shape[axis] = self.new_length(shape[axis], i)
        return tuple(shape)

    def get_config(self) -> dict[str, Any]:
        config = {self.setting: self._setting_for_config()}
        if self.rank > 1:
            config["data_format"] = self.data_format
        return {**super().get_config(), **config}

    def _setting_for_config(self) -> Any:
        value = getattr(self, self.setting)
        if self.rank == 1:  # the original writes what the user may write: a pair, or one number
            return value[0]
        return value


def pairs(value: Any, rank: int, layer: _Spatial) -> Pairs:
    """An amount at each end of each axis: one number for all, one for each axis, or a pair for each axis."""
    owner = f"`{layer.setting}` of layer {layer.name} ({type(layer).__name__})"
    value = plain(value)
    items = (value,) * rank if isinstance(value, int) else value
    if rank == 1 and isinstance(items, (list, tuple)) and len(items) == 2 and all(isinstance(v, int) for v in items):
        items = (items,)
    if not isinstance(items, (list, tuple)) or len(items) != rank:
        raise ArgumentError(
            f"{owner} must be an int, {rank} ints, or {rank} pairs of ints (before, after). Received: {value!r}"
        )
    result = []
    for item in items:
        pair = tuple(item) if isinstance(item, (list, tuple)) else (item, item)
        if len(pair) != 2 or not all(isinstance(v, int) and v >= 0 for v in pair):
            raise ArgumentError(
                f"{owner} must hold ints of 0 or more, or pairs (before, after) of them. Received: {value!r}"
            )
        result.append(pair)
    return tuple(result)


class _Cropping(_Spatial):
    setting = "cropping"
    cropping: Pairs

    def call(self, inputs: Any) -> Any:
        known = K.int_shape(inputs)
        for i, (before, after) in enumerate(self.cropping):
            length = known[self.first_axis + i]
            if length is not None and before + after >= length:
                raise ShapeError(
                    f"layer {self.name} ({type(self).__name__}) crops {before} + {after} of axis "
                    f"{self.first_axis + i}, which has {length} elements"
                )
        cuts = [slice(before, -after if after else None) for before, after in self.cropping]
        return inputs[(slice(None),) * self.first_axis + tuple(cuts)]

    def new_length(self, length: int, i: int) -> int:
        return length - sum(self.cropping[i])


class Cropping1D(_Cropping):
    """Cuts steps off the ends of ``(batch, steps, features)`` (manual, 5.3.6).

    Args:
        cropping: int, or a pair (steps at the start, steps at the end).
    """

    rank = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(cropping, None, **kwargs)


class Cropping2D(_Cropping):
    """Cuts rows and columns off the edges of images (manual, 5.3.7).

    Args:
        cropping: int; 2 ints (rows, columns); or ((top, bottom), (left, right)).
        data_format: "channels_last" or "channels_first"; by default `K.image_data_format()`.
    """

    rank = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


class Cropping3D(_Cropping):
    """Cuts slices off the faces of volumes (manual, 5.3.8).

    Args:
        cropping: int; 3 ints; or 3 pairs (before, after).
        data_format: "channels_last" or "channels_first"; by default `K.image_data_format()`.
    """

    rank = 3

    def __init__(self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


class _ZeroPadding(_Spatial):
    setting = "padding"
    padding: Pairs

    def call(self, inputs: Any) -> Any:
        if self.rank == 1:
            return K.temporal_padding(inputs, padding=self.padding[0])
        function = K.spatial_2d_padding if self.rank == 2 else K.spatial_3d_padding
        return function(inputs, padding=self.padding, data_format=self.data_format)

    def new_length(self, length: int, i: int) -> int:
        return length + sum(self.padding[i])


class ZeroPadding1D(_ZeroPadding):
    """Adds zero steps at the ends of ``(batch, steps, features)`` (manual, 5.3.12).

    Args:
        padding: int, or a pair (steps at the start, steps at the end).
    """

    rank = 1

    def __init__(self, padding: Any = 1, **kwargs: Any) -> None:
        super().__init__(padding, None, **kwargs)


class ZeroPadding2D(_ZeroPadding):
    """Adds rows and columns of zeros around images (manual, 5.3.13).

    Args:
        padding: int; 2 ints (rows, columns); or ((top, bottom), (left, right)).
        data_format: "channels_last" or "channels_first"; by default `K.image_data_format()`.
    """

    rank = 2

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


class ZeroPadding3D(_ZeroPadding):
    """Adds slices of zeros around volumes (manual, 5.3.14).

    Args:
        padding: int; 3 ints; or 3 pairs (before, after).
        data_format: "channels_last" or "channels_first"; by default `K.image_data_format()`.
    """

    rank = 3

    def __init__(self, padding: Any = (1, 1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


class _UpSampling(_Spatial):
    setting = "size"
    size: tuple[int, ...]

    def read(self, value: Any) -> tuple[int, ...]:
        return positive_ints(value, self.rank, self.setting, self)

    def call(self, inputs: Any) -> Any:
        if self.rank == 1:
            return K.repeat_elements(inputs, self.size[0], axis=1)
        if self.rank == 2:
            rows, columns = self.size
            return K.resize_images(inputs, rows, columns, self.data_format)
        depth, rows, columns = self.size
        return K.resize_volumes(inputs, depth, rows, columns, self.data_format)

    def new_length(self, length: int, i: int) -> int:
        return length * self.size[i]


class UpSampling1D(_UpSampling):
    """Repeats each step of ``(batch, steps, features)`` `size` times (manual, 5.3.9).

    Args:
        size: int.
    """

    rank = 1

    def __init__(self, size: Any = 2, **kwargs: Any) -> None:
        super().__init__(size, None, **kwargs)


class UpSampling2D(_UpSampling):
    """Repeats the rows and columns of images (manual, 5.3.10).

    Args:
        size: int or 2 ints, for rows and columns.
        data_format: "channels_last" or "channels_first"; by default `K.image_data_format()`.
    """

    rank = 2

    def __init__(self, size: Any = (2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(size, data_format, **kwargs)


class UpSampling3D(_UpSampling):
    """Repeats the slices, rows and columns of volumes (manual, 5.3.11).

    Args:
        size: int or 3 ints.
        data_format: "channels_last" or "channels_first"; by default `K.image_data_format()`.
    """

    rank = 3

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(size, data_format, **kwargs)

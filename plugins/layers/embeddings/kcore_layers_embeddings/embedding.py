"""`Embedding`: integers become vectors."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore import constraints, initializers, regularizers
from kcore.engine import InputSpec, Layer
from kcore.errors import ShapeError
from kcore.shapes import plain, positive_int


class Embedding(Layer):
    """Turns non-negative integers (indices) into dense vectors of fixed size (manual, 5.7.1).

    Only as the first layer of a model. Input ``(batch, length)`` of integers in ``[0, input_dim)``, output
    ``(batch, length, output_dim)``; further axes before the last are allowed.

    Args:
        input_dim: int > 0, size of the vocabulary: the largest index plus 1.
        output_dim: int >= 0, length of the vectors.
        embeddings_initializer: of the matrix ``(input_dim, output_dim)``.
        embeddings_regularizer, embeddings_constraint: of the matrix.
        activity_regularizer: of the output.
        mask_zero: whether 0 is padding that layers downstream must skip. Index 0 then stands for no word, and
            `input_dim` is the size of the vocabulary plus 1.
        input_length: length of the sequences where it is constant (an int, or a tuple for several axes); needed by
            Flatten and Dense downstream.

    References:
        Gal and Ghahramani, A Theoretically Grounded Application of Dropout in Recurrent Neural Networks (2016).
    """

    input_spec = InputSpec()  # one tensor

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        activity_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        input_length: Any = None,
        **kwargs: Any,
    ) -> None:
        if "input_shape" not in kwargs and "batch_input_shape" not in kwargs:
            lengths = (None,) if input_length is None else _as_tuple(input_length)
            if "batch_size" in kwargs:
                kwargs["batch_input_shape"] = (kwargs["batch_size"], *lengths)
            else:
                kwargs["input_shape"] = lengths
        super().__init__(**kwargs)
        self.input_dim = positive_int(input_dim, "input_dim", self)
        self.output_dim = positive_int(output_dim, "output_dim", self, least=0)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        for length in _as_tuple(input_length):
            if length is not None:
                positive_int(length, "input_length", self)
        self.input_length = plain(input_length)

    def build(self, input_shape: Any) -> None:
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )
        self.built = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return K.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        if self.input_length is None:
            return (*input_shape, self.output_dim)
        lengths = _as_tuple(self.input_length)
        given = tuple(input_shape[1:])
        fits = len(lengths) == len(given) and all(
            a is None or b is None or a == b for a, b in zip(lengths, given, strict=False)
        )
        if not fits:
            raise ShapeError(
                f"layer {self.name} (Embedding) has input_length {self.input_length}, but its input has shape "
                f"{tuple(input_shape)}; give input_length=None for sequences of any length"
            )
        known = tuple(a if b is None else b for a, b in zip(lengths, given, strict=True))
        return (input_shape[0], *known, self.output_dim)

    def call(self, inputs: Any) -> Any:
        self.compute_output_shape(K.int_shape(inputs))  # refuses what does not have `input_length`
        if K.dtype(inputs) != "int32":
            inputs = K.cast(inputs, "int32")
        return K.gather(self.embeddings, inputs)

    def get_config(self) -> dict[str, Any]:
        config = {
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": regularizers.serialize(self.embeddings_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "embeddings_constraint": constraints.serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
            "input_length": self.input_length,
        }
        return {**super().get_config(), **config}


def _as_tuple(lengths: Any) -> tuple[int | None, ...]:
    return tuple(lengths) if isinstance(lengths, (list, tuple)) else (lengths,)

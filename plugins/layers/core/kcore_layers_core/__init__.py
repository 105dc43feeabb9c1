"""The core layers: fully connected, activations, dropout, reshaping, any function, masking."""

from kcore_layers_core.activation import Activation, ActivityRegularization
from kcore_layers_core.dense import Dense
from kcore_layers_core.dropout import Dropout, SpatialDropout1D, SpatialDropout2D, SpatialDropout3D
from kcore_layers_core.function import Lambda
from kcore_layers_core.masking import Masking
from kcore_layers_core.reshaping import Flatten, Permute, RepeatVector, Reshape

__all__ = [
    "Activation",
    "ActivityRegularization",
    "Dense",
    "Dropout",
    "Flatten",
    "Lambda",
    "Masking",
    "Permute",
    "RepeatVector",
    "Reshape",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
]

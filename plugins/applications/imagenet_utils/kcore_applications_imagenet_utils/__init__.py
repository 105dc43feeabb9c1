"""What all models trained on ImageNet share; manual, chapter 13."""

from kcore_applications_imagenet_utils.arguments import check_arguments, obtain_input_shape
from kcore_applications_imagenet_utils.inputs import channel_axis, connect, image_input, pooled
from kcore_applications_imagenet_utils.labels import decode_predictions
from kcore_applications_imagenet_utils.preprocess import preprocess_input
from kcore_applications_imagenet_utils.weights import ReleasedWeights, load_weights

#: The name under which scripts of Keras 2.1.6 import it.
_obtain_input_shape = obtain_input_shape

__all__ = [
    "ReleasedWeights",
    "channel_axis",
    "check_arguments",
    "connect",
    "decode_predictions",
    "image_input",
    "load_weights",
    "obtain_input_shape",
    "pooled",
    "preprocess_input",
]

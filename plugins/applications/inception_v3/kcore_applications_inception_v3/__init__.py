"""InceptionV3; manual, section 13.3.5."""

from kcore_applications_imagenet_utils import decode_predictions
from kcore_applications_inception_v3.model import InceptionV3, preprocess_input

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]

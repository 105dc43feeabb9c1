"""Xception; manual, section 13.3.1."""

from kcore_applications_imagenet_utils import decode_predictions
from kcore_applications_xception.model import Xception, preprocess_input

__all__ = ["Xception", "decode_predictions", "preprocess_input"]

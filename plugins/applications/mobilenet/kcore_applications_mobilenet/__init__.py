"""MobileNet; manual, section 13.3.7."""

from kcore.layers import DepthwiseConv2D
from kcore_applications_imagenet_utils import decode_predictions
from kcore_applications_mobilenet.model import MobileNet, preprocess_input, relu6

__all__ = ["DepthwiseConv2D", "MobileNet", "decode_predictions", "preprocess_input", "relu6"]

"""ResNet50; manual, section 13.3.4."""

from kcore_applications_imagenet_utils import decode_predictions, preprocess_input
from kcore_applications_resnet50.model import ResNet50

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]

"""DenseNet121, DenseNet169 and DenseNet201; manual, section 13.3.8."""

from kcore_applications_densenet.model import DenseNet121, DenseNet169, DenseNet201, preprocess_input
from kcore_applications_imagenet_utils import decode_predictions

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]

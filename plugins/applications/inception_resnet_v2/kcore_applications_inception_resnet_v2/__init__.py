"""InceptionResNetV2; manual, section 13.3.6."""

from kcore_applications_imagenet_utils import decode_predictions
from kcore_applications_inception_resnet_v2.model import InceptionResNetV2, ScaledSum, preprocess_input

__all__ = ["InceptionResNetV2", "ScaledSum", "decode_predictions", "preprocess_input"]

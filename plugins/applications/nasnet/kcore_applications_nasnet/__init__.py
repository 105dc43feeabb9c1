"""NASNetLarge and NASNetMobile; manual, section 13.3.9."""

from kcore_applications_imagenet_utils import decode_predictions
from kcore_applications_nasnet.model import NASNetLarge, NASNetMobile, preprocess_input

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]

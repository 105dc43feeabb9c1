"""VGG16 and VGG19; manual, sections 13.3.2 and 13.3.3."""

from kcore_applications_vgg.vgg16 import VGG16
from kcore_applications_vgg.vgg19 import VGG19

__all__ = ["VGG16", "VGG19"]

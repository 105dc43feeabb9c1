"""The published weights of an application.

The addresses and md5 hashes in the applications' modules are those that the original asks for: they were recorded while
keras-applications 1.0.8 ran (`tests/applications/golden/make_released.py`), and a test compares. For VGG, ResNet50,
Inception, Xception and MobileNet, Keras 2.1.6 asks for the same. MobileNet's files have no published hash. Nobody has
fetched the files through this code: a hash that is wrong here would refuse a good file, so the message then says how to
put the file in place by hand, and what lies in the cache is taken as it is.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from kcore.engine import Model
from kcore.utils import cached_file


@dataclass(frozen=True)
class ReleasedWeights:
    """Two files of one release: with and without the classifier.

    Attributes:
        url: the folder that both lie in, with its last slash.
        top, no_top: file names.
        top_hash, no_top_hash: md5 hashes, or None where none was published.
    """

    url: str
    top: str
    no_top: str
    top_hash: str | None = None
    no_top_hash: str | None = None

    def fetch(self, include_top: bool) -> str:
        """The path of one of the two files, fetched if it is not in the cache."""
        name, file_hash = (self.top, self.top_hash) if include_top else (self.no_top, self.no_top_hash)
        # Keras keeps NASNet-large.h5 as nasnet_large.h5: a cache copied from there serves here.
        return cached_file(name.lower().replace("-", "_"), self.url + name, file_hash, cache_subdir="models")


def load_weights(
    model: Model, weights: str | os.PathLike[str] | None, released: ReleasedWeights, include_top: bool
) -> None:
    """Gives a model its weights.

    Args:
        model: the application.
        weights: None for none (the model keeps its random ones), 'imagenet' for the released ones, or a path.
        released: where the released ones are.
        include_top: whether the model has its classifier.
    """
    if weights == "imagenet":
        model.load_weights(released.fetch(include_top))
    elif weights is not None:
        model.load_weights(weights)

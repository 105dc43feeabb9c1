"""The published weights of an application.

The addresses and md5 hashes in the applications' modules are those of the files' releases, as Keras 2.1 lists them. A
download with another hash is refused with a message that says how to use it all the same; a file that is in the cache
is taken as it is.
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
        return cached_file(name, self.url + name, file_hash, cache_subdir="models")


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

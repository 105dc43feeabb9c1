"""The `Embedding` layer."""

from kcore_layers_embeddings.embedding import Embedding

__all__ = ["Embedding"]

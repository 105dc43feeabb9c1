"""Normalization layers."""

from kcore_layers_normalization.batch import BatchNormalization

__all__ = ["BatchNormalization"]

"""Locally connected layers."""

from kcore_layers_local.local import LocallyConnected1D, LocallyConnected2D

__all__ = ["LocallyConnected1D", "LocallyConnected2D"]

"""Layers that add noise while training."""

from kcore_layers_noise.noise import AlphaDropout, GaussianDropout, GaussianNoise

__all__ = ["AlphaDropout", "GaussianDropout", "GaussianNoise"]

"""Activations with settings or weights."""

from kcore_layers_advanced_activations.fixed import ELU, LeakyReLU, Softmax, ThresholdedReLU
from kcore_layers_advanced_activations.prelu import PReLU

__all__ = ["ELU", "LeakyReLU", "PReLU", "Softmax", "ThresholdedReLU"]

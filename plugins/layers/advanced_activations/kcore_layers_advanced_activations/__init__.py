"""Activations with settings or weights."""

from kcore_layers_advanced_activations.fixed import ELU, LeakyReLU, ReLU, Softmax, ThresholdedReLU
from kcore_layers_advanced_activations.prelu import PReLU

__all__ = ["ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax", "ThresholdedReLU"]

"""The GPU engine: runs kcore's plans on an NVIDIA GPU, through CuPy and generated CUDA kernels."""

from kcore_backends_cupy.device import CupyDevice

__all__ = ["CupyDevice"]

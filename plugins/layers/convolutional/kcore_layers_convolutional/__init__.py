"""Convolutional layers."""

from kcore_layers_convolutional.conv import Conv1D, Conv2D, Conv3D
from kcore_layers_convolutional.old_names import AtrousConvolution1D, AtrousConvolution2D
from kcore_layers_convolutional.separable import DepthwiseConv2D, SeparableConv1D, SeparableConv2D
from kcore_layers_convolutional.space import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from kcore_layers_convolutional.transpose import Conv2DTranspose, Conv3DTranspose

__all__ = [
    "AtrousConvolution1D",
    "AtrousConvolution2D",
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
]

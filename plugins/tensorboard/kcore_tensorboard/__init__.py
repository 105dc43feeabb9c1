"""kcore's callback `TensorBoard`."""

from kcore_tensorboard.callback import TensorBoard

__all__ = ["TensorBoard"]

"""Layers around another layer."""

from kcore_layers_wrappers.bidirectional import Bidirectional
from kcore_layers_wrappers.time_distributed import TimeDistributed

__all__ = ["Bidirectional", "TimeDistributed"]

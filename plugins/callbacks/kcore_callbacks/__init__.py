"""kcore's callbacks. The base class, `History` and the progress bar are the core's own."""

from kcore_callbacks.csv_logger import CSVLogger
from kcore_callbacks.early_stopping import EarlyStopping
from kcore_callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from kcore_callbacks.model_checkpoint import ModelCheckpoint
from kcore_callbacks.remote_monitor import RemoteMonitor
from kcore_callbacks.simple import LambdaCallback, TerminateOnNaN

__all__ = [
    "CSVLogger",
    "EarlyStopping",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "TerminateOnNaN",
]

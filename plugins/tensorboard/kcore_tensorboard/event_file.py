"""Event files: what TensorBoard reads, one record after the other."""

from __future__ import annotations

import io
import itertools
import os
import socket
import time
from typing import Any

import numpy as np
from PIL import Image
from tensorboardX import RecordWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.graph_pb2 import GraphDef
from tensorboardX.proto.summary_pb2 import Summary

from kcore_tensorboard.histogram import Histogram

_numbers = itertools.count()


class EventFile:
    """A new event file in a folder, which is made where it does not exist.

    Args:
        log_dir: the folder.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, log_dir: str) -> None:
        os.makedirs(log_dir, exist_ok=True)
        # TensorBoard reads the files of a folder in the order of their names, so the time comes first; process and
        # number keep apart what begins in the same second.
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        self._writer = RecordWriter(os.path.join(log_dir, name))
        self._write(Event(file_version="brain.Event:2"))

    def scalar(self, tag: str, value: float, step: int) -> None:
        self._summary(step, Summary.Value(tag=tag, simple_value=value))

    def histogram(self, tag: str, values: Histogram, step: int) -> None:
        """Nothing is written where there were no finite values."""
        if values.count:
            self._summary(step, Summary.Value(tag=tag, histo=values.message()))

    def image(self, tag: str, picture: np.ndarray, step: int) -> None:
        """Write a picture: uint8, (height, width) in grey, or (height, width, 3)."""
        file = io.BytesIO()
        Image.fromarray(picture).save(file, format="png")
        height, width = picture.shape[:2]
        colorspace = 1 if picture.ndim == 2 else 3
        message = Summary.Image(height=height, width=width, colorspace=colorspace, encoded_image_string=file.getvalue())
        self._summary(step, Summary.Value(tag=tag, image=message))

    def graph(self, graph: GraphDef) -> None:
        self._write(Event(graph_def=graph.SerializeToString()))

    def flush(self) -> None:
        """Bring everything written so far to the disk, where TensorBoard sees it."""
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def _summary(self, step: int, value: Any) -> None:
        self._write(Event(step=step, summary=Summary(value=[value])))

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self._writer.write(event.SerializeToString())

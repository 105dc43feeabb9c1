"""The callback `TensorBoard` (manual 11.1.10)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kcore import backend as K
from kcore.callbacks import Callback
from kcore.graph import nodes_of
from kcore_tensorboard.event_file import EventFile
from kcore_tensorboard.graph import graph_of
from kcore_tensorboard.histogram import Histogram
from kcore_tensorboard.pictures import picture_of
from kcore_tensorboard.projector import Projector

Logs = dict[str, Any]


class TensorBoard(Callback):
    """Writes what TensorBoard shows: `tensorboard --logdir logs`. Manual, section 11.1.10.

    The numbers that an epoch logs are written as scalars, at the number of the epoch, from 0. The files are complete
    after each epoch.

    Args:
        log_dir: folder for the files; made where it does not exist.
        histogram_freq: number of epochs from one writing of histograms, of all weights and of the outputs of all
            layers for the validation data, to the next; 0 for none. Values that are not finite are left out.
        batch_size: samples computed at a time for histograms.
        write_graph: whether to write the operations of the model, grouped by layers.
        write_grads: whether to write histograms of the gradients of the loss with respect to the trained weights too,
            one gradient for each batch of the validation data; with `histogram_freq`.
        write_images: whether to write the weights as pictures too; with `histogram_freq`.
        embeddings_freq: number of epochs from one writing of embeddings to the next; 0 for none.
        embeddings_layer_names: names of the layers whose embeddings are written; None or empty for all `Embedding`
            layers.
        embeddings_metadata: file of labels (relative to `log_dir`, a line for each row) for all these layers, or a
            dict from layer names to files.
        embeddings_data: inputs of the model, of which the outputs of these layers are written instead of their
            weights; an array, or a list of arrays.
        update_freq: "epoch", "batch" to write the numbers of each batch too, at the number of samples seen so far,
            or a number of samples after which the numbers of a batch are written.

    Raises:
        ValueError: at the begin of training, for histograms without arrays as validation data, and for names that are
            not those of layers.

    Example:
        >>> model.fit(x, y, validation_data=(x_val, y_val), callbacks=[TensorBoard("logs", histogram_freq=1)])
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "./logs",
        histogram_freq: int = 0,
        batch_size: int = 32,
        write_graph: bool = True,
        write_grads: bool = False,
        write_images: bool = False,
        embeddings_freq: int = 0,
        embeddings_layer_names: Sequence[str] | None = None,
        embeddings_metadata: Any = None,
        embeddings_data: Any = None,
        update_freq: str | int = "epoch",
    ) -> None:
        super().__init__()
        if update_freq not in ("epoch", "batch") and not isinstance(update_freq, int):
            raise ValueError(f"update_freq must be 'epoch', 'batch' or a number of samples, got {update_freq!r}")
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self.batch_size = batch_size
        self.write_graph = write_graph
        self.write_grads = write_grads
        self.write_images = write_images
        self.embeddings_freq = embeddings_freq
        self.embeddings_layer_names = embeddings_layer_names
        self.embeddings_metadata = embeddings_metadata
        self.embeddings_data = embeddings_data
        self.update_freq = update_freq
        if update_freq != "epoch":  # a hook that is not there costs nothing
            self.on_batch_end = self._write_batch  # type: ignore[method-assign]

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._close()  # a training before may have ended by an error
        if self.histogram_freq and not self.validation_data:
            raise ValueError(
                "TensorBoard(histogram_freq=...) computes histograms on the validation data, which must be arrays: "
                "pass validation_data=(x, y) or validation_split to fit, not a generator"
            )
        self._seen = self._written = 0
        self._projector = None
        if self.embeddings_freq:
            self._projector = Projector(
                self.log_dir,
                self.model,
                self.embeddings_layer_names,
                self.embeddings_metadata,
                self.embeddings_data,
            )
        self._activity = self._activity_function() if self.histogram_freq else None
        self._file = EventFile(self.log_dir)
        if self.write_graph:
            self._file.graph(graph_of(self.model))
        self._file.flush()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._write_scalars(logs or {}, epoch if self.update_freq == "epoch" else self._seen)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
            self._write_activity(epoch)
        if self._projector is not None and epoch % self.embeddings_freq == 0:
            self._projector.write()
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._close()

    def _close(self) -> None:
        file = self.__dict__.pop("_file", None)
        if file is not None:
            file.close()

    # -- scalars -------------------------------------------------------------------------------------------
    def _write_batch(self, batch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        self._seen += logs.get("size", 0)
        if self.update_freq == "batch" or self._seen - self._written >= int(self.update_freq):
            self._written = self._seen
            self._write_scalars(logs, self._seen)

    def _write_scalars(self, logs: Logs, step: int) -> None:
        """Write what is one number; lists and texts that other callbacks log have no place in a curve."""
        for name, value in logs.items():
            number = np.asarray(value)
            if name not in ("batch", "size") and number.size == 1 and number.dtype.kind in "fiub":
                self._file.scalar(name, number.item(), step)

    # -- histograms ----------------------------------------------------------------------------------------
    def _write_weights(self, epoch: int) -> None:
        for layer in self.model.layers:
            for weight in layer.weights:
                value, tag = K.get_value(weight), _tag(weight)
                self._file.histogram(tag, Histogram().add(value), epoch)
                if self.write_images:
                    self._file.image(f"{tag}/image", picture_of(value), epoch)

    def _write_activity(self, epoch: int) -> None:
        """Histograms of the outputs of the layers, and of gradients."""
        assert self._activity is not None and self.validation_data is not None
        tags, function = self._activity
        histograms = [Histogram() for _ in tags]
        samples = len(self.validation_data[0])
        arrays = [data for data in self.validation_data if np.ndim(data)]  # the learning phase is a number
        for start in range(0, samples, self.batch_size):
            batch = [array[start : start + self.batch_size] for array in arrays]
            for histogram, values in zip(histograms, function(batch), strict=True):
                histogram.add(values)
        for tag, histogram in zip(tags, histograms, strict=True):
            self._file.histogram(tag, histogram, epoch)

    def _activity_function(self) -> tuple[list[str], Callable[[list[Any]], list[Any]]]:
        """The tags of outputs and gradients, and a function of inputs, targets and sample weights to their values."""
        watched = {}
        reached = set(nodes_of(self.model.outputs))  # a layer may be called in other models too
        for layer in self.model.layers:
            outputs = [x for call in layer.inbound_nodes for x in call.output_tensors if x.node in reached]
            for number, output in enumerate(outputs):
                watched[f"{layer.name}_out" + (f"_{number}" if number else "")] = output
        if self.write_grads:
            weights = self.model.trainable_weights
            gradients = K.gradients(self.model.total_loss, weights)
            watched.update(
                (f"{_tag(weight)}_grad", gradient)
                for weight, gradient in zip(weights, gradients, strict=True)
                if gradient is not None
            )
        fed = self.model.test_function.inputs
        return list(watched), K.function(fed, list(watched.values()))


def _tag(weight: Any) -> str:
    return weight.name.replace(":", "_")

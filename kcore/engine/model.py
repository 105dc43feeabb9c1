"""`Model`: a network that can be trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcore.engine import fitting, loop
from kcore.engine.batches import is_generator
from kcore.engine.callbacks import Callback, CallbackList, History, ProgbarLogger, as_callbacks
from kcore.engine.collect import Averages
from kcore.engine.compiled import Compiled
from kcore.engine.fitting import Reading, UserData
from kcore.engine.standardize import count_samples, standardize
from kcore.engine.step import Step
from kcore.engine.structure import unpack_singleton
from kcore.errors import ArgumentError
from kcore.plugins import hooks
from kcore.shapes import positive_int
from kcore.versions import explained


class Model(Compiled):
    """A network of layers with `compile`, `fit`, `evaluate` and `predict`. Manual, chapter 4.

    Args:
        inputs: the input tensor, or a list of them.
        outputs: the output tensor, or a list of them.
        name: of the model.

    Attributes:
        optimizer, loss, metrics, loss_weights, sample_weight_mode, weighted_metrics, target_tensors: what
            `compile` was given; None before.
        history: the `History` of the last `fit`.
        stop_training: set to True (by a callback) to end the training after the batch.

    Example:
        >>> from kcore.layers import Dense, Input
        >>> x = Input(shape=(4,))
        >>> model = Model(inputs=x, outputs=Dense(1)(x))
        >>> model.compile("sgd", "mse")
    """

    history: Any = None
    stop_training: bool = False

    # -- arrays ------------------------------------------------------------------------------------------
    @explained
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int = 1,
        callbacks: list[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        **kwargs: Any,
    ) -> History:
        """Train on arrays.

        Args:
            x: input array, list of them, or dict from input names; HDF5 data sets stay on disk. None where
                the model reads from tensors.
            y: target array, list of them, or dict from output names.
            batch_size: samples of one update (default 32).
            epochs: number of the last epoch: passes over the data, if `initial_epoch` is 0.
            verbose: 0 silent, 1 progress bar, 2 one line an epoch.
            callbacks: list of `kcore.callbacks.Callback`.
            validation_split: fraction of the samples, the last ones, to validate on instead of training.
            validation_data: ``(x, y)`` or ``(x, y, sample_weight)`` to validate on.
            shuffle: whether samples come in a new order each epoch (drawn from `np.random`); "batch" shuffles
                whole batches, which suits HDF5.
            class_weight: dict from class indices to weights in the loss; of each output, for several.
            sample_weight: weights of the samples, (samples,), or (samples, steps) in temporal mode. With class
                weights too, the products count.
            initial_epoch: number of the first epoch.
            steps_per_epoch: number of steps of an epoch, where the data come from tensors.
            validation_steps: number of validation steps, with `steps_per_epoch`.

        Returns:
            the `History` of losses and metrics.

        Raises:
            RuntimeError: the model is not compiled.
            ValueError: the data do not fit the model.
        """
        epochs = positive_int(epochs, "epochs", least=0)
        if is_generator(x):
            return self.fit_generator(
                x, steps_per_epoch, epochs, verbose, callbacks, validation_data, validation_steps, class_weight,
                shuffle=bool(shuffle), initial_epoch=initial_epoch,
            )  # fmt: skip
        data = self._user_data(x, y, sample_weight, class_weight)
        if self.stateful:
            fitting.check_stateful(data.samples, batch_size)
        validation = None
        if validation_data is not None:
            validation = self._validation(validation_data, batch_size, steps_per_epoch, validation_steps)
        elif validation_split:
            data, held_out = fitting.split_off(data, validation_split)
            validation = self._array_validation(held_out, batch_size, None)
        elif validation_steps:
            validation = self._step_validation(steps_per_epoch, validation_steps)
        source = fitting.source_of(
            data.arrays, data.samples, batch_size, steps_per_epoch, shuffle, argument="steps_per_epoch"
        )
        if verbose and validation is not None and data.samples and validation.source.samples:
            print(f"Train on {data.samples} samples, validate on {validation.source.samples} samples")
        step = self.setup.train_step(data.weights is not None)
        params = {
            "batch_size": batch_size or (None if steps_per_epoch else fitting.DEFAULT_BATCH_SIZE),
            "steps": steps_per_epoch,
            "samples": source.samples,
        }
        return self._train(step, source, epochs, initial_epoch, verbose, callbacks, validation, params)

    @explained
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int = 1,
        sample_weight: Any = None,
        steps: int | None = None,
    ) -> Any:
        """Loss and metrics on arrays, in test mode.

        Args:
            x, y, sample_weight: as in `fit`.
            batch_size: samples computed at a time (default 32).
            verbose: 0 silent, 1 progress bar.
            steps: number of steps, where the data come from tensors.

        Returns:
            the loss, or a list of what `metrics_names` says; averages over the samples.
        """
        if is_generator(x):
            return self.evaluate_generator(x, steps, verbose=verbose)
        data = self._user_data(x, y, sample_weight)
        if self.stateful:
            fitting.check_stateful(data.samples, batch_size)
        source = fitting.source_of(data.arrays, data.samples, batch_size, steps)
        step = self.setup.test_step(data.weights is not None)
        return unpack_singleton(
            loop.evaluate(step, source, fitting.averages_of(self.setup), self.setup.reset_metrics, verbose)
        )

    @explained
    def predict(self, x: Any, batch_size: int | None = None, verbose: int = 0, steps: int | None = None) -> Any:
        """The outputs for arrays, batch by batch.

        Args:
            x: as in `fit`; None where the model reads from tensors.
            batch_size: samples computed at a time (default 32).
            verbose: 0 silent, 1 progress bar.
            steps: number of steps, where the data come from tensors.

        Returns:
            array (samples, ...), or list of arrays for several outputs.
        """
        if is_generator(x):
            return self.predict_generator(x, steps, verbose=verbose)
        expected, step = self._predictor()
        inputs = standardize(x, expected, "input")
        samples = count_samples(inputs)
        if samples == 0:
            return unpack_singleton(fitting.no_predictions(self.outputs))
        if self.stateful:
            fitting.check_stateful(samples, batch_size)
        source = fitting.source_of(inputs, samples, batch_size, steps)
        return unpack_singleton(loop.predict(step, source, verbose))

    # -- generators --------------------------------------------------------------------------------------
    @explained
    def fit_generator(
        self,
        generator: Any,
        steps_per_epoch: int | None = None,
        epochs: int = 1,
        verbose: int = 1,
        callbacks: list[Callback] | None = None,
        validation_data: Any = None,
        validation_steps: int | None = None,
        class_weight: Any = None,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        shuffle: bool = True,
        initial_epoch: int = 0,
        **kwargs: Any,
    ) -> History:
        """Train on batches that a generator yields, or a `Sequence` gives, while workers read ahead.

        Args:
            generator: yields ``(x, y)`` or ``(x, y, sample_weight)``, each as in `train_on_batch`, without end;
                or a `kcore.utils.Sequence`, of which each batch is used once an epoch.
            steps_per_epoch: number of batches of an epoch; default: the length of the `Sequence`.
            epochs, verbose, callbacks, class_weight, initial_epoch: as in `fit`.
            validation_data: ``(x, y)``, ``(x, y, sample_weight)``, a generator, or a `Sequence`.
            validation_steps: number of batches of a validation by generator.
            max_queue_size: number of batches that are read ahead.
            workers: number of threads (or processes); 0 to read in this thread.
            use_multiprocessing: processes instead of threads.
            shuffle: whether the batches of a `Sequence` come in a new order each epoch.

        Returns:
            the `History` of losses and metrics.

        Raises:
            ValueError: the generator yields something else, or ends too early.
        """
        epochs = positive_int(epochs, "epochs", least=0)
        reading = Reading(workers, max_queue_size, use_multiprocessing)
        validation = None
        if validation_data is not None:
            validation = self._validation(validation_data, None, None, validation_steps, reading)
        source = fitting.generator_source(
            generator,
            steps_per_epoch,
            lambda batch: self._prepared(batch, class_weight),
            reading,
            argument="steps_per_epoch",
            shuffle=shuffle,
        )
        step = fitting.EitherStep(self.setup.train_step, self._plain_inputs())
        params = {"batch_size": None, "steps": source.steps, "samples": None}
        return self._train(step, source, epochs, initial_epoch, verbose, callbacks, validation, params)

    @explained
    def evaluate_generator(
        self,
        generator: Any,
        steps: int | None = None,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        verbose: int = 0,
    ) -> Any:
        """Loss and metrics on batches of a generator or `Sequence`; arguments as in `fit_generator`."""
        reading = Reading(workers, max_queue_size, use_multiprocessing)
        source = fitting.generator_source(generator, steps, self._prepared, reading, argument="steps")
        step = fitting.EitherStep(self.setup.test_step, self._plain_inputs())
        return unpack_singleton(
            loop.evaluate(step, source, fitting.averages_of(self.setup), self.setup.reset_metrics, verbose)
        )

    @explained
    def predict_generator(
        self,
        generator: Any,
        steps: int | None = None,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        verbose: int = 0,
    ) -> Any:
        """The outputs for batches of a generator or `Sequence`; arguments as in `fit_generator`.

        The generator yields inputs, or tuples whose first item they are.
        """
        expected, step = self._predictor()

        def prepare(batch: Any) -> tuple[int, list[Any]]:
            inputs = standardize(fitting.inputs_of_batch(batch), expected, "input")
            return count_samples(inputs) or 1, inputs

        reading = Reading(workers, max_queue_size, use_multiprocessing)
        source = fitting.generator_source(generator, steps, prepare, reading, argument="steps")
        return unpack_singleton(loop.predict(step, source, verbose))

    # -- parts of the above ------------------------------------------------------------------------------
    def _plain_inputs(self) -> int:
        return len(self._expected_inputs()) + len(self.setup.fed_outputs)

    def _prepared(self, batch: Any, class_weight: Any = None) -> tuple[int, list[Any]]:
        """Size and arrays of a batch of a generator."""
        x, y, sample_weight = fitting.unpack_batch(batch)
        data = self._user_data(x, y, sample_weight, class_weight, argument="a batch of the generator")
        return data.samples or 1, data.arrays

    def _validation(
        self,
        data: Any,
        batch_size: int | None,
        steps_per_epoch: int | None,
        steps: int | None,
        reading: Reading | None = None,
    ) -> loop.Validation:
        """Validation on the argument `validation_data`."""
        if is_generator(data):
            source = fitting.generator_source(
                data, steps, self._prepared, reading or Reading(), argument="validation_steps", from_start=True
            )
            step = fitting.EitherStep(self.setup.test_step, self._plain_inputs())
            return loop.Validation(step, source, fitting.averages_of(self.setup), self.setup.reset_metrics)
        x, y, sample_weight = fitting.unpack_validation(data)
        if steps_per_epoch is not None and steps is None:
            raise ArgumentError("`validation_steps` must be given to validate when `steps_per_epoch` is set")
        checked = self._user_data(x, y, sample_weight, argument="validation_data")
        return self._array_validation(checked, batch_size, steps if steps_per_epoch is not None else None)

    def _step_validation(self, steps_per_epoch: int | None, steps: int) -> loop.Validation:
        """Validation on what the tensors inside the model give."""
        if steps_per_epoch is None:
            raise ArgumentError(
                "Can only use `validation_steps` when doing step-wise training, i.e. `steps_per_epoch` must be set."
            )
        return self._array_validation(self._user_data(None, None), None, steps)

    def _array_validation(self, data: UserData, batch_size: int | None, steps: int | None) -> loop.Validation:
        if self.stateful:
            fitting.check_stateful(data.samples, batch_size)
        return fitting.array_validation(self.setup, data, batch_size, steps, self.uses_learning_phase)

    def _train(
        self,
        step: Step,
        source: Any,
        epochs: int,
        initial_epoch: int,
        verbose: int,
        callbacks: list[Callback] | None,
        validation: loop.Validation | None,
        params: Mapping[str, Any],
    ) -> History:
        setup = self.setup
        self._warn_of_changed_weights()
        names = setup.metrics_names
        metrics = [*names, *(f"val_{name}" for name in names if validation is not None)]
        self.history = History()
        averages = fitting.averages_of(setup)
        listed = self._callbacks(callbacks, verbose, averages, by_steps=source.samples is None)
        listed.set_model(self)
        listed.set_params(
            {
                **params,
                "epochs": epochs,
                "verbose": verbose,
                "do_validation": validation is not None,
                "metrics": metrics,
            }
        )
        for callback in listed:
            callback.validation_data = None if validation is None else validation.data
        self.stop_training = False
        training = loop.Training(self, step, source, averages, setup.reset_metrics, listed, validation)
        training.run(positive_int(initial_epoch, "initial_epoch", least=0), epochs)
        return self.history

    def _callbacks(
        self, callbacks: list[Callback] | None, verbose: int, averages: Averages, by_steps: bool
    ) -> CallbackList:
        """The user's callbacks between the core's own; `History` last, so that it sees what others add."""
        own: list[Callback] = []
        if verbose:
            mode = "steps" if by_steps else "samples"
            bar = ProgbarLogger(mode, stateful_metrics=self.setup.stateful_metric_names)
            bar.averages = averages.named
            own.append(bar)
        added = [c for some in hooks.call("kcore_fit_callbacks", model=self) for c in some or ()]
        return CallbackList([*own, *as_callbacks(callbacks), *added, self.history])

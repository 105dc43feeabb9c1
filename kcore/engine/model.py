"""`Model`: a network that can be trained."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from typing import Any

from kcore.engine import fitting, loop
from kcore.engine.batches import is_generator
from kcore.engine.callbacks import Callback, CallbackList, History, ProgbarLogger
from kcore.engine.compile import TrainingSetup
from kcore.engine.fitting import Reading, UserData
from kcore.engine.network import Network
from kcore.engine.standardize import Expected, count_samples, standardize
from kcore.engine.step import Step
from kcore.engine.structure import unpack_singleton
from kcore.errors import ArgumentError, KcoreWarning, NotCompiledError
from kcore.graph import Tensor
from kcore.plugins import hooks
from kcore.plugins.objects import interpret

_lock = threading.RLock()  # steps are made once, whichever thread asks first


class Model(Network):
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

    optimizer: Any = None
    loss: Any = None
    metrics: Any = None
    loss_weights: Any = None
    sample_weight_mode: Any = None
    weighted_metrics: Any = None
    target_tensors: Any = None
    history: Any = None
    stop_training: bool = False
    _setup: TrainingSetup | None = None
    _prediction: tuple[list[Expected], Step] | None = None
    _expected: list[Expected] | None = None

    # -- compile -----------------------------------------------------------------------------------------
    def compile(
        self,
        optimizer: Any,
        loss: Any = None,
        metrics: Any = None,
        loss_weights: Any = None,
        sample_weight_mode: Any = None,
        weighted_metrics: Any = None,
        target_tensors: Any = None,
        **kwargs: Any,
    ) -> None:
        """Say how the model is trained.

        Args:
            optimizer: name of an optimizer, or an optimizer.
            loss: name of a loss or a function ``(y_true, y_pred)``; for several outputs also a list of these,
                or a dict from output names. Outputs without a loss are not trained.
            metrics: list of names or functions, for every output; or a dict from output names.
            loss_weights: list, or dict from output names, of factors of the losses (default 1).
            sample_weight_mode: None for weights of shape (batch,), "temporal" for (batch, steps); or a list
                or dict of these.
            weighted_metrics: as `metrics`, but weighted by sample and class weights.
            target_tensors: tensors to use as targets instead of data: one, a list, or a dict.
            kwargs: accepted, as arguments for other backends were.

        Raises:
            ValueError: an argument is not understood.
        """
        self.optimizer = _optimizer(optimizer)
        self.loss = loss if loss is not None else []
        self.metrics = metrics if metrics is not None else []
        self.loss_weights = loss_weights
        self.sample_weight_mode = sample_weight_mode
        self.weighted_metrics = weighted_metrics
        self.target_tensors = target_tensors
        if not self.built:
            self.build()
        self._setup = None
        self._setup = TrainingSetup(
            self, self.optimizer, loss, metrics, loss_weights, sample_weight_mode, weighted_metrics, target_tensors
        )

    def _changed(self) -> None:
        """Inputs or outputs are others than before: forget what was made for those."""
        super()._changed()
        self._prediction = None
        self._expected = None

    @property
    def setup(self) -> TrainingSetup:
        """What `compile` made.

        Raises:
            NotCompiledError: it was not called.
        """
        if self._setup is None:
            raise NotCompiledError("You must compile your model before using it: model.compile(optimizer, loss)")
        return self._setup

    # -- what compile made, under the names of Keras -----------------------------------------------------
    @property
    def metrics_names(self) -> list[str]:
        """Names of what evaluate returns: "loss", losses of outputs where there are several, metrics."""
        return self.setup.metrics_names

    @property
    def total_loss(self) -> Tensor:
        """Scalar: what training makes smaller."""
        return self.setup.total_loss

    @property
    def targets(self) -> list[Tensor]:
        """The target tensors of the outputs that have a loss."""
        return [o.target for o in self.setup.outputs]

    @property
    def sample_weights(self) -> list[Tensor]:
        """The sample weight tensors of the outputs that have a loss."""
        return [o.weights for o in self.setup.outputs]

    @property
    def loss_functions(self) -> list[Any]:
        """The loss function of each output, None where it has none."""
        return self.setup.loss_functions

    @property
    def metrics_tensors(self) -> list[Tensor]:
        """What is reported after the total loss."""
        return self.setup.reported.tensors

    @property
    def metrics_updates(self) -> list[Any]:
        """The updates of stateful metrics."""
        return self.setup.reported.updates

    @property
    def stateful_metric_names(self) -> list[str]:
        return self.setup.stateful_metric_names

    @property
    def stateful_metric_functions(self) -> list[Any]:
        return self.setup.reported.stateful

    @property
    def train_function(self) -> Step:
        """The step of `train_on_batch`: called with a list of inputs, targets and sample weights."""
        return self.setup.train_step(weighted=True)

    @property
    def test_function(self) -> Step:
        """The step of `test_on_batch`: called with a list of inputs, targets and sample weights."""
        return self.setup.test_step(weighted=True)

    @property
    def predict_function(self) -> Step:
        """The step of `predict_on_batch`: called with a list of inputs."""
        return self._predictor()[1]

    def _make_train_function(self) -> None:
        """Make the optimizer's state, so that it can be read and set before training."""
        self.setup.training_updates()

    def _make_test_function(self) -> None:
        """Nothing: steps are made when they are needed, by one thread only."""

    def _make_predict_function(self) -> None:
        """Make the step of `predict`; scripts call this before they start threads."""
        self._predictor()

    def _predictor(self) -> tuple[list[Expected], Step]:
        if self._prediction is None:
            with _lock:
                if self._prediction is None:
                    expected = self._expected_inputs()
                    step = Step(
                        self._feed_inputs, self.outputs, self.state_updates, training=False, name="predict_function"
                    )
                    self._prediction = (expected, step)
        return self._prediction

    def _expected_inputs(self) -> list[Expected]:
        if self._expected is None:
            pairs = zip(self._feed_input_names, self._feed_input_shapes, strict=True)
            self._expected = [Expected(name, tuple(shape)) for name, shape in pairs]
        return self._expected

    # -- one batch ---------------------------------------------------------------------------------------
    def train_on_batch(self, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None) -> Any:
        """One update of the weights, on one batch.

        Args:
            x: input array, list of them, or dict from input names.
            y: target array, list of them, or dict from output names.
            sample_weight: weights of the samples, (batch,), or (batch, steps) in temporal mode; a list or dict
                for several outputs.
            class_weight: dict from class indices to weights.

        Returns:
            the loss, or a list of what `metrics_names` says.

        Raises:
            ValueError: the data do not fit the model.
        """
        data = self._user_data(x, y, sample_weight, class_weight, check_batch_axis=True)
        return self._report(self.setup.train_step(data.weights is not None), data)

    def test_on_batch(self, x: Any, y: Any, sample_weight: Any = None) -> Any:
        """Loss and metrics of one batch; arguments and result as in `train_on_batch`."""
        data = self._user_data(x, y, sample_weight, check_batch_axis=True)
        return self._report(self.setup.test_step(data.weights is not None), data)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch.

        Args:
            x: input array, list of them, or dict from input names.

        Returns:
            array, or list of arrays for several outputs.
        """
        expected, step = self._prediction or self._predictor()
        return unpack_singleton(step(standardize(x, expected, "input", check_batch_axis=True)))

    @staticmethod
    def _report(step: Step, data: UserData) -> Any:
        return unpack_singleton([value.item() for value in step([fitting.rows_of(a) for a in data.arrays])])

    # -- arrays ------------------------------------------------------------------------------------------
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
        epochs = _renamed_epochs(kwargs, epochs)
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
        epochs = _renamed_epochs(kwargs, epochs)
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
    def _user_data(
        self, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None, check_batch_axis: bool = False
    ) -> UserData:
        setup = self.setup
        return fitting.user_data(
            self._expected_inputs(), setup, x, y, sample_weight, class_weight, check_batch_axis=check_batch_axis
        )

    def _plain_inputs(self) -> int:
        return len(self._expected_inputs()) + len(self.setup.fed_outputs)

    def _prepared(self, batch: Any, class_weight: Any = None) -> tuple[int, list[Any]]:
        """Size and arrays of a batch of a generator."""
        x, y, sample_weight = fitting.unpack_batch(batch)
        data = self._user_data(x, y, sample_weight, class_weight)
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
        checked = self._user_data(x, y, sample_weight)
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
        listed = self._callbacks(callbacks, verbose, by_steps=source.samples is None)
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
        training = loop.Training(
            self, step, source, fitting.averages_of(setup), setup.reset_metrics, listed, validation
        )
        training.run(initial_epoch, epochs)
        return self.history

    def _callbacks(self, callbacks: list[Callback] | None, verbose: int, by_steps: bool) -> CallbackList:
        """The user's callbacks between the core's own; `History` last, so that it sees what others add."""
        own: list[Callback] = []
        if verbose:
            mode = "steps" if by_steps else "samples"
            own.append(ProgbarLogger(mode, stateful_metrics=self.setup.stateful_metric_names))
        added = [c for some in hooks.call("kcore_fit_callbacks", model=self) for c in some or ()]
        return CallbackList([*own, *(callbacks or []), *added, self.history])

    def _warn_of_changed_weights(self) -> None:
        if len(self.trainable_weights) != len(self.setup.trainable_weights):
            warnings.warn(
                "Discrepancy between trainable weights and collected trainable weights: `trainable` was set without "
                "calling `model.compile` afterwards. Training changes the weights that were trainable at `compile`.",
                KcoreWarning,
                stacklevel=4,
            )


def _optimizer(identifier: Any) -> Any:
    if hasattr(identifier, "get_updates") and not isinstance(identifier, type):
        return identifier
    if isinstance(identifier, (str, Mapping)):
        return interpret("optimizers", identifier, instance=True)
    if hasattr(identifier, "apply_gradients"):
        wrapper: Any = interpret("optimizers", "TFOptimizer", instance=False)
        return wrapper(identifier)
    raise ArgumentError(
        f"Could not interpret optimizer identifier: {identifier!r}. Expected a name such as 'adam', or an optimizer."
    )


def _renamed_epochs(kwargs: dict[str, Any], epochs: int) -> int:
    if "nb_epoch" in kwargs:
        warnings.warn("The `nb_epoch` argument in `fit` has been renamed `epochs`.", KcoreWarning, stacklevel=3)
        epochs = kwargs.pop("nb_epoch")
    if kwargs:
        raise ArgumentError(f"Unrecognized keyword arguments: {', '.join(kwargs)}")
    return epochs

"""`Compiled`: a network with `compile`, and with steps on single batches."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

from kcore import optimizers
from kcore.engine import fitting
from kcore.engine.compile import TrainingSetup
from kcore.engine.fitting import UserData
from kcore.engine.network import Network
from kcore.engine.standardize import Expected, standardize
from kcore.engine.step import Step
from kcore.engine.structure import unpack_singleton
from kcore.errors import NotCompiledError, warn
from kcore.graph import Tensor
from kcore.versions import explained

#: What `compile` hands on to the functions of other backends: of TensorFlow, then of Theano.
BACKEND_ARGUMENTS = (
    *("feed_dict", "fetches", "options", "run_metadata"),
    *("accept_inplace", "allow_input_downcast", "givens", "mode", "name", "no_default_updates", "on_unused_input"),
    *("output_keys", "profile", "rebuild_strict"),
)

_lock = threading.RLock()  # steps are made once, whichever thread asks first


class Compiled(Network):
    """What of `Model` concerns how it is trained, and one batch at a time; `Model` has the loops.

    Attributes:
        optimizer, loss, metrics, loss_weights, sample_weight_mode, weighted_metrics, target_tensors: what
            `compile` was given; None before.
    """

    optimizer: Any = None
    loss: Any = None
    metrics: Any = None
    loss_weights: Any = None
    sample_weight_mode: Any = None
    weighted_metrics: Any = None
    target_tensors: Any = None
    _setup: TrainingSetup | None = None
    _prediction: tuple[list[Expected], Step] | None = None
    _expected: list[Expected] | None = None

    # -- compile -----------------------------------------------------------------------------------------
    @partial(explained, also=BACKEND_ARGUMENTS)
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
            kwargs: `options`, `run_metadata` and others of `BACKEND_ARGUMENTS`, which other backends take; without
                effect.

        Raises:
            ValueError: an argument is not understood.
        """
        chosen = optimizers.get(optimizer)
        if not self.built:
            self.build()
        setup = TrainingSetup(
            self, chosen, loss, metrics, loss_weights, sample_weight_mode, weighted_metrics, target_tensors
        )
        # Only now: where an argument is not understood, the model stays compiled as it was.
        self._setup = setup
        self.optimizer = chosen
        self.loss = loss if loss is not None else []
        self.metrics = metrics if metrics is not None else []
        self.loss_weights = loss_weights
        self.sample_weight_mode = sample_weight_mode
        self.weighted_metrics = weighted_metrics
        self.target_tensors = target_tensors

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
    @explained
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
        self._warn_of_changed_weights()
        data = self._user_data(x, y, sample_weight, class_weight, check_batch_axis=True)
        return self._report(self.setup.train_step(data.weights is not None), data)

    @explained
    def test_on_batch(self, x: Any, y: Any, sample_weight: Any = None) -> Any:
        """Loss and metrics of one batch; arguments and result as in `train_on_batch`."""
        data = self._user_data(x, y, sample_weight, check_batch_axis=True)
        return self._report(self.setup.test_step(data.weights is not None), data)

    @explained
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

    def _user_data(
        self,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        class_weight: Any = None,
        check_batch_axis: bool = False,
        argument: str = "x",
    ) -> UserData:
        setup = self.setup
        return fitting.user_data(
            self._expected_inputs(), setup, x, y, sample_weight, class_weight, check_batch_axis, argument
        )

    def _warn_of_changed_weights(self) -> None:
        if len(self.trainable_weights) != len(self.setup.trainable_weights):
            warn(
                "Discrepancy between trainable weights and collected trainable weights: `trainable` was set without "
                "calling `model.compile` afterwards. Training changes the weights that were trainable at `compile`."
            )

"""`KerasClassifier` and `KerasRegressor`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from kcore.models import Sequential, load_model
from kcore.utils import to_categorical
from kcore_scikit_learn import parameters


class KerasEstimator(BaseEstimator):
    """What classifier and regressor have in common. Manual, chapter 19.

    Args:
        build_fn: a function, or an object with `__call__`, that returns a compiled model with one input; None where
            a subclass has such a `__call__`. Its arguments should have defaults.
        sk_params: arguments of `build_fn`, and of the model's `fit`, `predict` and `evaluate` (`epochs`,
            `batch_size`, ...). Arguments given to a method of the estimator go before these.

    Attributes:
        model: the trained model, after `fit`.

    Raises:
        ValueError: a parameter that none of these functions takes.
    """

    def __init__(self, build_fn: Callable[..., Any] | None = None, **sk_params: Any) -> None:
        self.build_fn = build_fn
        self.sk_params = sk_params
        self.check_params(sk_params)

    # -- parameters ----------------------------------------------------------------------------------------
    def _builder(self) -> Callable[..., Any]:
        if self.build_fn is not None:
            if not callable(self.build_fn):
                raise TypeError(f"build_fn must be a function that returns a model, got {self.build_fn!r}")
            return self.build_fn
        if not callable(self):
            raise ValueError(
                f"{type(self).__name__} needs build_fn, a function that returns a compiled model; or derive a class "
                "from it with a method __call__ that does"
            )
        return self.__call__  # type: ignore[operator]

    def check_params(self, params: dict[str, Any]) -> None:
        """Refuse, with a ValueError, parameters that neither `build_fn` nor a method of the model takes."""
        parameters.check(params, self._builder())

    def filter_sk_params(self, fn: Callable[..., Any], override: dict[str, Any] | None = None) -> dict[str, Any]:
        """Those parameters of the estimator that `fn` takes, and all in `override`, which go before them."""
        return {**parameters.select(self.sk_params, fn), **(override or {})}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """`sk_params` and `build_fn`, as they were given."""
        return {**self.sk_params, "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> Self:
        """Change parameters; returns the estimator.

        Raises:
            ValueError: a parameter that nobody takes; nothing is changed then.
        """
        before = self.build_fn
        self.build_fn = params.pop("build_fn", before)
        try:
            self.check_params(params)
        except Exception:
            self.build_fn = before
            raise
        self.sk_params.update(params)
        return self

    # -- fitting -------------------------------------------------------------------------------------------
    def fit(self, x: Any, y: Any, **kwargs: Any) -> Self:
        """Build a new model and train it.

        Args:
            x: array (samples, ...).
            y: array (samples,) or (samples, outputs).
            kwargs: arguments of the model's `fit`; `sample_weight` among them.

        Returns:
            the estimator. Its attribute `history_` is what the model's `fit` returned.
        """
        build = self._builder()
        self.model = build(**parameters.for_builder(self.sk_params, build))
        if not hasattr(self.model, "fit"):
            raise TypeError(f"the function that builds the model must return it, compiled; it returned {self.model!r}")
        target = np.asarray(y)
        if _wants_one_hot(self.model) and target.ndim != 2:
            target = to_categorical(target)
        shape = np.shape(x)
        if len(shape) > 1:
            self.n_features_in_ = shape[1]
        self.history_ = self.model.fit(x, target, **self.filter_sk_params(Sequential.fit, _given(kwargs)))
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model")

    def _evaluate(self, x: Any, y: Any, kwargs: dict[str, Any]) -> dict[str, float]:
        values = self.model.evaluate(x, y, **self.filter_sk_params(Sequential.evaluate, _given(kwargs)))
        return dict(zip(self.model.metrics_names, np.atleast_1d(values), strict=True))

    # -- pickling ------------------------------------------------------------------------------------------
    def __getstate__(self) -> dict[str, Any]:
        """A trained model is pickled as the content of its file."""
        state = dict(super().__getstate__())
        state.pop("history_", None)
        if "model" in state:
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "model.h5")
                state["model"].save(path)
                with open(path, "rb") as file:
                    state["model"] = file.read()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        content = state.get("model")
        if content is not None:
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "model.h5")
                with open(path, "wb") as file:
                    file.write(content)
                state = {**state, "model": load_model(path)}
        super().__setstate__(state)


class KerasClassifier(ClassifierMixin, KerasEstimator):
    """A classifier of scikit-learn that trains a model. Manual, chapter 19.

    Args:
        build_fn: a function, or an object with `__call__`, that returns a compiled model with one input, and as
            output a probability for each class (or one, that of the second of two classes); None where a subclass
            has such a `__call__`.
        sk_params: arguments of `build_fn`, and of the model's `fit`, `predict` and `evaluate`.

    Attributes:
        classes_: the labels, sorted.
        n_classes_: their number.
        model: the trained model, after `fit`.

    Example:
        >>> classifier = KerasClassifier(build, epochs=10, batch_size=16)
        >>> classifier.fit(x, labels).score(x_test, labels_test)
    """

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Self:
        """Build a new model and train it.

        Args:
            x: array (samples, ...).
            y: labels of any kind, (samples,) or (samples, 1); or one-hot, (samples, classes).
            kwargs: arguments of the model's `fit`; `sample_weight` among them.

        Raises:
            ValueError: the labels have another shape.
        """
        labels = np.asarray(y)
        if labels.ndim == 2 and labels.shape[1] > 1:
            self.classes_, target = np.arange(labels.shape[1]), labels
        elif labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1):
            self.classes_, target = np.unique(labels.ravel(), return_inverse=True)
        else:
            raise ValueError(f"Invalid shape for y: {labels.shape}; expected (samples,) or (samples, classes)")
        self.n_classes_ = len(self.classes_)
        return super().fit(x, target, **kwargs)

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The most probable label of each sample, (samples,).

        Args:
            x: array (samples, ...).
            kwargs: arguments of the model's `predict`.
        """
        probabilities = self._probabilities(x, Sequential.predict_classes, kwargs)
        return self.classes_[probabilities.argmax(axis=-1)]

    def predict_proba(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The probability of each class in the order of `classes_`, (samples, classes); arguments as in `predict`."""
        return self._probabilities(x, Sequential.predict, kwargs)

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """The accuracy of the predictions.

        Args:
            x: array (samples, ...).
            y: labels as in `fit`.
            kwargs: arguments of the model's `evaluate`; `sample_weight` among them.

        Raises:
            ValueError: the model was compiled without an accuracy, or a label was not there in `fit`.
        """
        check_is_fitted(self)
        target = np.asarray(y)
        if target.ndim != 2 or target.shape[1] == 1:
            unknown = np.setdiff1d(target, self.classes_)
            if unknown.size:
                raise ValueError(f"the label {unknown[0]!r} was not there in fit; the labels are {self.classes_}")
            target = np.searchsorted(self.classes_, target.ravel())
            if _wants_one_hot(self.model):
                target = to_categorical(target, self.n_classes_)
        values = self._evaluate(x, target, kwargs)
        for name in ("acc", "accuracy"):
            if name in values:
                return float(values[name])
        raise ValueError(
            "The model is not configured to compute accuracy. You should pass `metrics=['accuracy']` to the "
            "`model.compile()` method."
        )

    def _probabilities(self, x: Any, method: Callable[..., Any], kwargs: dict[str, Any]) -> np.ndarray:
        check_is_fitted(self)
        probabilities = self.model.predict(x, **self.filter_sk_params(method, _given(kwargs)))
        if probabilities.ndim == 2 and probabilities.shape[1] == 1:  # the probability of the second of two classes
            probabilities = np.hstack([1 - probabilities, probabilities])
        return probabilities


class KerasRegressor(RegressorMixin, KerasEstimator):
    """A regressor of scikit-learn that trains a model. Manual, chapter 19.

    Arguments and attributes are those of `KerasClassifier`, without the labels.
    """

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The predictions, (samples,) or (samples, outputs); `kwargs` are arguments of the model's `predict`."""
        check_is_fitted(self)
        predictions = self.model.predict(x, **self.filter_sk_params(Sequential.predict, _given(kwargs)))
        return predictions[:, 0] if predictions.ndim == 2 and predictions.shape[1] == 1 else predictions

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """The negative loss, so that more is better; `kwargs` are arguments of the model's `evaluate`."""
        check_is_fitted(self)
        return -float(self._evaluate(x, np.asarray(y), kwargs)["loss"])


def _wants_one_hot(model: Any) -> bool:
    return getattr(model.loss, "__name__", model.loss) == "categorical_crossentropy"


def _given(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Without `sample_weight=None`, which scikit-learn passes on."""
    return {name: value for name, value in kwargs.items() if not (name == "sample_weight" and value is None)}

"""Estimators in scikit-learn's own machinery."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

from kcore.layers import Activation, Dense
from kcore.models import Sequential
from kcore.optimizers import SGD
from kcore_scikit_learn import KerasClassifier, KerasRegressor


def build_classifier(units=8, classes=3, loss="categorical_crossentropy", metrics=("accuracy",)):
    model = Sequential([Dense(units, activation="relu", input_shape=(2,)), Dense(classes), Activation("softmax")])
    model.compile("adam", loss, metrics=list(metrics))
    return model


def build_binary():
    model = Sequential([Dense(1, activation="sigmoid", input_shape=(2,))])
    model.compile(SGD(lr=0.5), "binary_crossentropy", metrics=["accuracy"])
    return model


def build_regressor(units=8, outputs=1):
    model = Sequential([Dense(units, activation="tanh", input_shape=(2,)), Dense(outputs)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


@pytest.fixture(autouse=True)
def seed():
    np.random.seed(1)


@pytest.fixture(scope="module")
def blobs():
    random = np.random.RandomState(0)
    numbers = np.arange(90) % 3
    centers = np.array([[-2, 0], [2, 0], [0, 3]])
    return (centers[numbers] + 0.4 * random.randn(90, 2)).astype("float32"), numbers


FIT = {"epochs": 30, "batch_size": 8, "verbose": 0}


@pytest.mark.parametrize(
    "names", [np.array(["ant", "bee", "cat"]), np.array([7, -1, 30]), np.array([0.5, 1.5, 9.0])], ids=str
)
@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_labels_of_any_kind(blobs, names, loss):
    x, numbers = blobs
    y = names[numbers]
    classifier = KerasClassifier(build_classifier, loss=loss, **FIT)
    assert classifier.fit(x, y) is classifier
    assert classifier.classes_.tolist() == sorted(names) and classifier.n_classes_ == 3
    predicted = classifier.predict(x)
    assert predicted.dtype == y.dtype and (predicted == y).mean() > 0.9
    assert classifier.score(x, y) == pytest.approx((predicted == y).mean())
    probabilities = classifier.predict_proba(x)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert (classifier.classes_[probabilities.argmax(axis=1)] == predicted).all()
    # A part of the labels is enough to score.
    first = y == y[0]
    assert classifier.score(x[first], y[first]) == pytest.approx((predicted[first] == y[first]).mean())


def test_one_hot_labels_and_columns(blobs):
    x, y = blobs
    classifier = KerasClassifier(build_classifier, **FIT).fit(x, np.eye(3)[y])
    assert classifier.classes_.tolist() == [0, 1, 2]
    assert classifier.score(x, np.eye(3)[y]) == classifier.score(x, y) == classifier.score(x, y[:, None]) > 0.9
    classifier.fit(x, y[:, None])
    assert classifier.predict(x).shape == (90,)
    with pytest.raises(ValueError, match=r"Invalid shape for y: \(90, 1, 1\)"):
        classifier.fit(x, y[:, None, None])


def test_two_classes_by_one_probability(blobs):
    x, y = blobs[0][blobs[1] < 2], np.array(["no", "yes"])[blobs[1][blobs[1] < 2]]
    classifier = KerasClassifier(build_binary, **FIT).fit(x, y)
    probabilities = classifier.predict_proba(x)
    assert probabilities.shape == (60, 2)
    np.testing.assert_allclose(probabilities[:, 1:], classifier.model.predict(x), rtol=1e-5)
    assert (classifier.predict(x) == y).mean() == classifier.score(x, y) > 0.9
    assert cross_val_score(clone(classifier), x, y, cv=3, scoring="roc_auc").min() > 0.9


@pytest.mark.parametrize("outputs", [1, 2])
def test_regression(blobs, outputs):
    x = blobs[0]
    y = np.stack([x[:, 0] - x[:, 1], x.sum(axis=1)], axis=1)[:, :outputs]
    y = y[:, 0] if outputs == 1 else y
    regressor = KerasRegressor(build_regressor, outputs=outputs, **FIT).fit(x, y)
    predicted = regressor.predict(x)
    assert predicted.shape == y.shape
    loss = ((predicted - y) ** 2).mean()
    assert regressor.score(x, y) == pytest.approx(-loss, rel=1e-4)
    weights = np.arange(1.0, 91.0)
    errors = ((predicted - y) ** 2).reshape(90, -1).mean(axis=1)
    assert regressor.score(x, y, sample_weight=weights) == pytest.approx(-(errors * weights).mean(), rel=1e-4)


def test_score_needs_an_accuracy_and_known_labels(blobs):
    classifier = KerasClassifier(build_classifier, metrics=(), epochs=1, verbose=0).fit(*blobs)
    with pytest.raises(ValueError, match=r"not configured to compute accuracy. You should pass `metrics"):
        classifier.score(*blobs)
    with pytest.raises(ValueError, match=r"the label .*5.* was not there in fit; the labels are \[0 1 2\]"):
        classifier.score(blobs[0][:2], [1, 5])


# -- parameters ---------------------------------------------------------------------------------------------


class Builder:
    def __call__(self, units=4):
        return build_classifier(units)


class Ready(KerasClassifier):
    def __call__(self, units=4):
        return build_classifier(units)


@pytest.mark.parametrize("make", [lambda **k: KerasClassifier(Builder(), **k), lambda **k: Ready(**k)])
def test_the_other_ways_to_build(blobs, make):
    classifier = make(units=5, epochs=1, verbose=0)
    copy = clone(classifier).set_params(units=6).fit(*blobs)
    assert copy.model.layers[0].units == 6 and classifier.get_params()["units"] == 5
    with pytest.raises(ValueError, match="unit is not a legal parameter. The function that builds the model takes uni"):
        make(unit=5)


def test_no_way_to_build():
    with pytest.raises(ValueError, match="KerasRegressor needs build_fn, a function that returns a compiled model; or"):
        KerasRegressor()
    with pytest.raises(TypeError, match="build_fn must be a function that returns a model, got 3"):
        KerasRegressor(3)
    with pytest.raises(TypeError, match="must return it, compiled; it returned None"):
        KerasRegressor(lambda: None).fit([[1.0]], [1.0])


def test_parameters_are_legal_ones():
    message = (
        r"unts is not a legal parameter. The function that builds the model takes classes, loss, metrics, units; fit, "
        r"predict and evaluate take batch_size, .*verbose"
    )
    with pytest.raises(ValueError, match=message):
        KerasClassifier(build_classifier, unts=3)
    classifier = KerasClassifier(build_classifier, units=3)
    with pytest.raises(ValueError, match=message):
        classifier.set_params(unts=4, units=4)
    assert classifier.get_params() == {"build_fn": build_classifier, "units": 3}
    with pytest.raises(ValueError, match="units is not a legal parameter"):
        classifier.set_params(build_fn=build_binary, units=3)
    assert classifier.build_fn is build_classifier
    assert KerasClassifier(lambda **any: None, whatever=3).get_params()["whatever"] == 3


def test_parameters_go_where_they_belong(blobs):
    seen = {}

    def build(units=1, **others):
        seen.update(others, units=units)
        return build_classifier(units)

    classifier = KerasClassifier(build, units=2, depth=3, epochs=4, batch_size=30, verbose=0)
    classifier.fit(*blobs)
    assert seen == {"units": 2, "depth": 3} and len(classifier.history_.epoch) == 4
    classifier.fit(*blobs, epochs=2)  # what is given goes first
    assert len(classifier.history_.epoch) == 2
    assert classifier.filter_sk_params(Sequential.predict, {"verbose": 1}) == {"batch_size": 30, "verbose": 1}


def test_arguments_of_predict(blobs, capsys):
    classifier = KerasClassifier(build_classifier, epochs=1, verbose=0).fit(*blobs)
    capsys.readouterr()
    quiet = classifier.predict_proba(blobs[0], batch_size=7)
    assert capsys.readouterr().out == ""
    np.testing.assert_allclose(quiet, classifier.predict_proba(blobs[0], verbose=1), rtol=1e-5)
    assert "90/90" in capsys.readouterr().out


def test_clone_and_kinds():
    classifier, regressor = KerasClassifier(build_classifier, units=3), KerasRegressor(build_regressor, epochs=2)
    for estimator in (classifier, regressor):
        copy = clone(estimator)
        assert copy is not estimator and copy.get_params() == estimator.get_params()
        copy.set_params(epochs=9)
        assert estimator.get_params().get("epochs") != 9
    assert is_classifier(classifier) and is_regressor(regressor) and not is_classifier(regressor)
    assert "units=3" in repr(classifier)


class OfAnyWidth:
    """Models as wide as scikit-learn's checks ask for."""

    def fit(self, x, y, **kwargs):
        self.n_features_in_ = np.shape(x)[1]
        return super().fit(x, y, **kwargs)


class AnyClassifier(OfAnyWidth, KerasClassifier):
    def __call__(self, units=8):
        layers = [Dense(units, input_shape=(self.n_features_in_,)), Dense(self.n_classes_, activation="softmax")]
        model = Sequential(layers)
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        return model


class AnyRegressor(OfAnyWidth, KerasRegressor):
    def __call__(self, units=8):
        model = Sequential([Dense(units, input_shape=(self.n_features_in_,)), Dense(1)])
        model.compile("adam", "mse")
        return model


# Those of scikit-learn's checks that ask for what the manual does not say otherwise: it wants `model` and `sk_params`
# as attributes, refuses unknown parameters at once, and leaves the check of the data to the model.
CHECKS = [
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_estimators_dtypes,
    estimator_checks.check_estimators_fit_returns_self,
    estimator_checks.check_estimators_overwrite_params,
    estimator_checks.check_estimators_pickle,
    estimator_checks.check_estimators_unfitted,
    estimator_checks.check_f_contiguous_array_estimator,
    estimator_checks.check_fit_score_takes_y,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_methods_sample_order_invariance,
    estimator_checks.check_methods_subset_invariance,
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_pipeline_consistency,
    estimator_checks.check_readonly_memmap_input,
    estimator_checks.check_valid_tag_types,
]


@pytest.mark.parametrize("kind", [AnyClassifier, AnyRegressor])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_scikit_learns_checks(kind, check):
    check(
        kind.__name__,
        kind(verbose=0) if check is not estimator_checks.check_parameters_default_constructible else kind(),
    )


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_not_fitted(method):
    with pytest.raises(NotFittedError):
        getattr(KerasClassifier(build_classifier), method)(np.zeros((2, 2)))
    with pytest.raises(NotFittedError):
        KerasRegressor(build_regressor).score(np.zeros((2, 2)), np.zeros(2))


# -- in scikit-learn ----------------------------------------------------------------------------------------


def test_grid_search_in_a_pipeline(blobs):
    x, numbers = blobs
    y = np.array(["a", "b", "c"])[numbers]
    pipeline = make_pipeline(StandardScaler(), KerasClassifier(build_classifier, verbose=0, batch_size=8))
    grid = {"kerasclassifier__units": [2, 8], "kerasclassifier__epochs": [1, 40]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(x, y)
    assert search.best_params_["kerasclassifier__epochs"] == 40 and search.best_score_ > 0.9
    assert (search.predict(x) == y).mean() > 0.9 and search.classes_.tolist() == ["a", "b", "c"]


def test_cross_validation_with_weights_of_samples(blobs):
    regressor = KerasRegressor(build_regressor, epochs=2, verbose=0)
    scores = cross_val_score(regressor, blobs[0], blobs[0][:, 0], cv=3, params={"sample_weight": np.ones(90)})
    assert scores.shape == (3,) and (scores < 0).all()
    assert cross_val_predict(regressor, blobs[0], blobs[0][:, 0], cv=3).shape == (90,)


def test_weights_of_samples_count(blobs):
    x, y = blobs
    weights = (y < 2).astype("float32")  # the third class is not there
    classifier = KerasClassifier(build_classifier, **FIT).fit(x, y, sample_weight=weights)
    assert (classifier.predict(x) != 2).all()


def test_a_fitted_estimator_is_pickled_with_its_model(blobs):
    x = blobs[0]
    for estimator in (KerasClassifier(build_classifier, epochs=2, verbose=0), KerasRegressor(build_regressor)):
        copy = pickle.loads(pickle.dumps(estimator))
        assert copy.get_params() == estimator.get_params() and not hasattr(copy, "model")
        estimator.fit(x, blobs[1], verbose=0)
        copy = pickle.loads(pickle.dumps(estimator))
        np.testing.assert_array_equal(copy.predict(x), estimator.predict(x))
        assert copy.score(x, blobs[1]) == pytest.approx(estimator.score(x, blobs[1]))
        assert hasattr(estimator, "history_")  # pickling changes nothing


def test_the_manual(blobs):
    """Chapter 19, with `keras` as it is written."""
    import kcore.compat

    kcore.compat.install()
    try:
        import keras.wrappers.scikit_learn
        from keras.wrappers.scikit_learn import KerasClassifier as Classifier

        assert Classifier is KerasClassifier and keras.wrappers.scikit_learn.KerasRegressor is KerasRegressor
    finally:
        kcore.compat.uninstall()

"""Initializers: values, statistics, seeds, configurations."""

import math

import numpy as np
import pytest

from kcore import backend as K
from kcore import initializers
from kcore.errors import NotInstalledError, ShapeError
from kcore.plugins.scopes import CustomObjectScope

DENSE, CONV = (300, 200), (3, 5, 40, 60)


def draw(initializer, shape=DENSE, dtype=None):
    return K.get_value(K.variable(initializer(shape, dtype=dtype), dtype=dtype))


# -- fixed values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [None, "float64", "float16"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4)])
def test_filled(shape, dtype):
    for initializer, value in (
        (initializers.Zeros(), 0),
        (initializers.Ones(), 1),
        (initializers.Constant(2.5), 2.5),
    ):
        tensor = initializer(shape, dtype=dtype)
        assert K.int_shape(tensor) == shape and K.dtype(tensor) == (dtype or "float32")
        assert (K.eval(tensor) == value).all()


def test_constant_of_an_array():
    array = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(draw(initializers.Constant(array), (2, 3)), array)


def test_identity():
    np.testing.assert_array_equal(draw(initializers.Identity(gain=3), (4, 4)), 3 * np.eye(4))
    for shape in ((4, 3), (4,), (2, 2, 2)):
        with pytest.raises(ShapeError, match="square"):
            initializers.Identity()(shape)


@pytest.mark.parametrize("shape", [(30, 30), (50, 20), (20, 50), (3, 3, 4, 20), (2, 2, 3, 30)])
def test_orthogonal(shape):
    matrix = draw(initializers.Orthogonal(gain=2.0, seed=1), shape).reshape(-1, shape[-1]) / 2
    product = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(product, np.eye(len(product)), atol=2e-6)


def test_orthogonal_is_uniformly_distributed():
    """QR alone would give a first column with mostly negative numbers in front."""
    firsts = [draw(initializers.Orthogonal(seed=i), (4, 4))[0, 0] for i in range(200)]
    assert 70 < sum(value > 0 for value in firsts) < 130


def test_orthogonal_needs_two_dimensions():
    with pytest.raises(ShapeError, match="two dimensions"):
        initializers.Orthogonal()((3,))


# -- distributions ---------------------------------------------------------------------------------------


def moments(values):
    return values.mean(), values.std(), values.min(), values.max()


def test_uniform():
    values = draw(initializers.RandomUniform(-1.0, 3.0, seed=1))
    mean, std, low, high = moments(values)
    assert abs(mean - 1) < 0.02 and abs(std - 4 / math.sqrt(12)) < 0.02
    assert -1 <= low < -0.99 and 2.99 < high < 3


def test_normal():
    mean, std, low, high = moments(draw(initializers.RandomNormal(1.0, 2.0, seed=1)))
    assert abs(mean - 1) < 0.04 and abs(std - 2) < 0.03 and low < -5 and high > 7


def test_truncated_normal():
    mean, std, low, high = moments(draw(initializers.TruncatedNormal(1.0, 2.0, seed=1)))
    assert abs(mean - 1) < 0.04 and abs(std - 2 * 0.8796) < 0.02
    assert -3 <= low < -2.9 and 4.9 < high <= 5


@pytest.mark.parametrize("shape", [DENSE, CONV, (7, 30, 50), (3, 3, 3, 20, 30)])
@pytest.mark.parametrize(
    ("name", "scale", "fan"),
    [
        ("lecun_uniform", 1, "in"),
        ("lecun_normal", 1, "in"),
        ("glorot_uniform", 1, "avg"),
        ("glorot_normal", 1, "avg"),
        ("he_uniform", 2, "in"),
        ("he_normal", 2, "in"),
    ],
)
def test_scale_follows_from_the_shape(name, scale, fan, shape):
    window = math.prod(shape[:-2])
    fan_in, fan_out = window * shape[-2], window * shape[-1]
    stddev = math.sqrt(scale / {"in": fan_in, "avg": (fan_in + fan_out) / 2}[fan])
    mean, std, low, high = moments(draw(getattr(initializers, name)(seed=3), shape))
    assert abs(mean) < 0.04 * stddev
    if name.endswith("uniform"):
        limit = math.sqrt(3) * stddev
        assert abs(std / stddev - 1) < 0.02 and -limit <= low < -0.99 * limit and 0.99 * limit < high <= limit
    else:
        assert abs(std / stddev - 0.8796) < 0.02 and -2 * stddev * 1.00001 <= low and high <= 2 * stddev * 1.00001


def test_fan_out_and_vectors():
    scaled = initializers.VarianceScaling(3.0, mode="fan_out", distribution="uniform", seed=1)
    assert abs(draw(scaled, (50, 400)).std() - math.sqrt(3 / 400)) < 0.002
    assert abs(draw(scaled, (10000,)).std() - math.sqrt(3 / 100)) < 0.005


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"scale": 0}, "scale"), ({"mode": "fan"}, "fan_avg"), ({"distribution": "gamma"}, "uniform")],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        initializers.VarianceScaling(**arguments)


# -- seeds -----------------------------------------------------------------------------------------------

RANDOM = ["random_uniform", "random_normal", "truncated_normal", "glorot_uniform", "he_normal", "orthogonal"]


@pytest.mark.parametrize("name", RANDOM)
def test_seeds(name):
    make = getattr(initializers, name)
    first, again, other = (draw(make(seed=seed), (20, 30)) for seed in (1, 1, 2))
    assert (first == again).all() and not (first == other).any()


@pytest.mark.parametrize("name", RANDOM)
def test_numpy_seed_makes_weights_repeatable(name):
    def two():
        np.random.seed(1337)
        initializer = initializers.get(name)
        return draw(initializer, (20, 30)), draw(initializer, (20, 30))

    (first, second), (first_again, second_again) = two(), two()
    assert (first == first_again).all() and (second == second_again).all()
    assert not (first == second).any()


def test_nothing_is_drawn_before_it_is_needed():
    huge = initializers.glorot_uniform()((10**7, 10**7))  # 400 TB
    assert K.int_shape(huge) == (10**7, 10**7)


# -- names and configurations ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "initializer",
    [
        initializers.Zeros(),
        initializers.Ones(),
        initializers.Constant(2.0),
        initializers.RandomNormal(1.0, 2.0, 3),
        initializers.RandomUniform(1.0, 2.0, 3),
        initializers.TruncatedNormal(1.0, 2.0, 3),
        initializers.VarianceScaling(2.0, "fan_out", "uniform", 3),
        initializers.Orthogonal(2.0, 3),
        initializers.Identity(2.0),
        initializers.he_normal(3),
    ],
)
def test_configuration_round_trip(initializer):
    config = initializers.serialize(initializer)
    again = initializers.deserialize(config)
    assert type(again) is type(initializer) and initializers.serialize(again) == config
    assert initializers.get(config).get_config() == initializer.get_config()


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("zeros", "Zeros"),
        ("zero", "Zeros"),
        ("ones", "Ones"),
        ("one", "Ones"),
        ("constant", "Constant"),
        ("uniform", "RandomUniform"),
        ("random_uniform", "RandomUniform"),
        ("normal", "RandomNormal"),
        ("random_normal", "RandomNormal"),
        ("truncated_normal", "TruncatedNormal"),
        ("identity", "Identity"),
        ("orthogonal", "Orthogonal"),
        ("glorot_uniform", "VarianceScaling"),
        ("lecun_normal", "VarianceScaling"),
        ("RandomNormal", "RandomNormal"),
        ("VarianceScaling", "VarianceScaling"),
    ],
)
def test_names(name, cls):
    assert type(initializers.get(name)) is getattr(initializers, cls)


def test_configuration_is_that_of_keras_files():
    assert initializers.serialize(initializers.get("glorot_uniform")) == {
        "class_name": "VarianceScaling",
        "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
    }
    later = {"class_name": "VarianceScaling", "config": {"scale": 2, "distribution": "truncated_normal"}}
    assert initializers.get(later).distribution == "normal"


def test_what_get_accepts_and_refuses():
    def mine(shape, dtype=None):
        return K.random_normal(shape, dtype=dtype)

    assert initializers.get(mine) is mine
    with CustomObjectScope({"mine": mine}):
        assert initializers.get("mine") is mine
    with pytest.raises(NotInstalledError, match=r"glorot_unifrom.*glorot_uniform"):
        initializers.get("glorot_unifrom")
    for wrong in (None, 3):
        with pytest.raises(ValueError, match=str(wrong)):
            initializers.get(wrong)
    with pytest.raises(NotImplementedError):
        initializers.Initializer()((2, 3))

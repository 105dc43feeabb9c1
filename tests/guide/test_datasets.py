"""The examples of the manual's chapter 12, with `keras` as they are written; the files come from loopback."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("published")


def test_cifar10():
    """Section 12.1."""
    from keras.datasets import cifar10

    (x_train, y_train), (x_test, y_test) = cifar10.load_data()

    assert x_train.shape == (20, 32, 32, 3) and x_test.shape == (10, 32, 32, 3) and x_train.dtype == np.uint8
    assert y_train.shape == (20, 1) and y_test[:, 0].tolist() == list(range(10))


def test_cifar100():
    """Section 12.2."""
    from keras.datasets import cifar100

    (x_train, y_train), (x_test, y_test) = cifar100.load_data(label_mode="fine")
    (_, coarse), _ = cifar100.load_data(label_mode="coarse")

    assert x_train.shape == (20, 32, 32, 3) and x_test.shape == (10, 32, 32, 3)
    assert set(y_train.flat) == set(y_test.flat) == {99} and set(coarse.flat) == {19}


def test_imdb():
    """Section 12.3."""
    from keras.datasets import imdb

    (x_train, y_train), (x_test, y_test) = imdb.load_data(
        path="imdb.npz",
        num_words=None,
        skip_top=0,
        maxlen=None,
        seed=113,
        start_char=1,
        oov_char=2,
        index_from=3,
    )

    assert len(x_train) == len(y_train) == 20 and len(x_test) == len(y_test) == 10
    assert {text[0] for text in x_train} == {1} and sorted(set(y_train)) == [0, 1]


def test_reuters():
    """Section 12.4."""
    from keras.datasets import reuters

    (x_train, y_train), (x_test, y_test) = reuters.load_data(
        path="reuters.npz",
        num_words=None,
        skip_top=0,
        maxlen=None,
        test_split=0.2,
        seed=113,
        start_char=1,
        oov_char=2,
        index_from=3,
    )
    word_index = reuters.get_word_index(path="reuters_word_index.json")

    assert len(x_train) == len(y_train) == 16 and len(x_test) == len(y_test) == 4
    assert word_index["giraffe"] == 1234


def test_mnist():
    """Section 12.5."""
    from keras.datasets import mnist

    (x_train, y_train), (x_test, y_test) = mnist.load_data()

    assert x_train.shape == (20, 28, 28) and x_test.shape == (10, 28, 28) and x_train.dtype == np.uint8
    assert y_train.shape == (20,) and y_test.tolist() == list(range(10))


def test_fashion_mnist():
    """Section 12.6."""
    from keras.datasets import fashion_mnist

    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()

    assert x_train.shape == (20, 28, 28) and x_test.shape == (10, 28, 28) and x_train.dtype == np.uint8
    assert y_train.shape == (20,) and y_test.tolist() == list(range(10))


def test_boston_housing():
    """Section 12.7."""
    from keras.datasets import boston_housing

    (x_train, y_train), (x_test, y_test) = boston_housing.load_data()

    assert x_train.shape == (24, 13) and y_train.shape == (24,)
    assert x_test.shape == (6, 13) and y_test.shape == (6,)

"""Wrong input is refused with what was given, what was expected and what to do."""

from __future__ import annotations

import io
import os
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kcore.errors import ArgumentError, DataError, KcoreWarning, ShapeError
from kcore.preprocessing import image
from kcore.preprocessing.image import ImageDataGenerator
from kcore.preprocessing.sequence import TimeseriesGenerator, make_sampling_table, pad_sequences, skipgrams
from kcore.preprocessing.text import Tokenizer, hashing_trick, one_hot, text_to_word_sequence, tokenizer_from_json

X = np.random.RandomState(0).uniform(0, 255, (6, 4, 5, 3)).astype("float32")
G = ImageDataGenerator()


@pytest.fixture
def folder(tmp_path):
    for name in ("cats", "dogs"):
        (tmp_path / name).mkdir()
        image.save_img(tmp_path / name / "1.png", X[0])
    return tmp_path


def test_damaged_pictures(folder):
    whole = (folder / "cats" / "1.png").read_bytes()
    for name, content in {"empty.png": b"", "text.jpg": b"no picture", "cut.png": whole[: len(whole) // 2]}.items():
        (folder / "cats" / name).write_bytes(content)
        with pytest.raises(DataError, match=rf"{name} cannot be read as a picture \(.*; replace it, or remove it"):
            image.load_img(folder / "cats" / name)
    with pytest.raises(DataError, match="cannot be read as a picture"):
        next(G.flow_from_directory(folder, shuffle=False))
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        image.load_img(folder / "none.png")


def test_without_pillow(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    for call in (
        lambda: image.load_img(folder / "cats" / "1.png"),
        lambda: image.array_to_img(X[0]),
        lambda: image.save_img(folder / "new.png", X[0]),
        lambda: next(G.flow_from_directory(folder)),
    ):
        with pytest.raises(ImportError, match="needs the package Pillow: pip install pillow"):
            call()
    assert next(G.flow(X)).shape == X.shape


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="the administrator may read every file")
def test_a_file_that_must_not_be_read(folder):
    (folder / "cats" / "1.png").chmod(0)
    with pytest.raises(DataError, match=r"1\.png cannot be read as a picture \(.*Permission denied"):
        image.load_img(folder / "cats" / "1.png")


def written(file_format):
    buffer = io.BytesIO()
    Image.fromarray(X[0].astype("uint8")).save(buffer, file_format)
    return buffer.getvalue()


FILES = {name: written(name) for name in ("png", "jpeg", "bmp", "tiff", "ppm", "gif")}


@given(st.sampled_from(sorted(FILES)), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6), st.data())
@settings(max_examples=300, deadline=None)
def test_any_damage_gives_a_picture_or_a_clear_error(tmp_path_factory, name, changes, data):
    content = bytearray(FILES[name])
    for place, value in changes:
        content[int(place * (len(content) - 1))] = value
    content = content[: data.draw(st.integers(0, len(content)))]
    path = tmp_path_factory.getbasetemp() / f"damaged.{name}"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own, about odd metadata
        try:
            picture = image.load_img(path, target_size=(2, 2))
        except DataError as error:
            assert "cannot be read as a picture" in str(error)
        else:
            assert picture.size == (2, 2) and picture.mode == "RGB"


def test_folders(folder, tmp_path):
    (folder / "birds").mkdir()
    with pytest.raises(DataError, match=r"has no pictures: its class folders are \['birds'\].*Pictures belong"):
        G.flow_from_directory(folder, classes=["birds"])
    with pytest.raises(DataError, match=r"has no pictures: its class folders are \[\]"):
        G.flow_from_directory(folder / "birds")
    with pytest.raises(DataError, match="subset='validation' leaves none, perhaps: validation_split is 0"):
        G.flow_from_directory(folder, subset="validation")
    with pytest.raises(KcoreWarning, match=r"no folder for the classes \['cat'\].*'birds', 'cats', 'dogs'"):
        G.flow_from_directory(folder, classes=["cat", "dogs"])
    with pytest.raises(DataError, match="'binary' is for two classes; there are 3: use 'sparse'"):
        G.flow_from_directory(folder, class_mode="binary")
    with pytest.raises(DataError, match="is not a folder; expected one with a folder for each class"):
        G.flow_from_directory(folder / "cats" / "1.png")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"class_mode": "one-hot"}, "class_mode is 'one-hot'; expected one of 'categorical', 'binary'"),
        ({"color_mode": "bgr"}, "color_mode is 'bgr'; expected 'rgb' or 'grayscale'"),
        ({"interpolation": "cubic"}, "interpolation is 'cubic'; expected one of 'nearest', 'bilinear'"),
        ({"target_size": 32}, r"target_size is 32; expected two whole numbers above 0, \(rows, cols\)"),
        ({"target_size": (32, 0)}, "target_size is .*; expected two whole numbers"),
        ({"target_size": (-1, 5)}, "target_size is .*; expected two whole numbers"),
        ({"target_size": (3, 4, 3)}, "target_size is .*; expected two whole numbers"),
        ({"batch_size": 0}, "batch_size is 0; expected a whole number of at least 1"),
        ({"batch_size": 2.5}, "batch_size is 2.5; expected a whole number"),
        ({"subset": "test"}, "subset is 'test'; expected 'training', 'validation' or None"),
        ({"save_format": "webp"}, "save_format is 'webp'; expected 'png' or 'jpeg'"),
    ],
)
def test_arguments_of_flow_from_directory(folder, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        G.flow_from_directory(folder, **arguments)


@pytest.mark.parametrize(
    ("x", "arguments", "error", "message"),
    [
        (X[0], {}, ShapeError, r"x has the shape \(4, 5, 3\); expected images of rank 4.*for one image: x\[None\]"),
        (X[..., 0], {}, ShapeError, r"For gray images add an axis: x\[..., None\]"),
        ([X[0], X[1, :2]], {}, DataError, "x is no array .*expected images of one size"),
        (X[:0], {}, DataError, "has no images; expected at least one"),
        (X, {"batch_size": 0}, ArgumentError, "batch_size is 0; expected"),
        (X, {"batch_size": -3}, ArgumentError, "batch_size is -3; expected"),
        (X, {"y": [1, 2]}, DataError, "x has 6 images and y 2 entries; expected the same number"),
        (X, {"sample_weight": [1.0]}, DataError, "x has 6 images and sample_weight 1 entries"),
        (X, {"subset": "val"}, ArgumentError, "subset is 'val'; expected 'training'"),
        (X, {"subset": "validation"}, DataError, "'validation' of 6 images has none: validation_split .* is 0"),
        (X, {"save_format": "gif"}, ArgumentError, "save_format is 'gif'"),
        (X, {"save_to_dir": "/no/such/folder"}, DataError, "save_to_dir is '/no/such/folder', which is not a folder"),
        (
            X.transpose(0, 3, 1, 2),
            {},
            KcoreWarning,
            "have 5 channels, as data_format is 'channels_last'; expected",
        ),
    ],
)
def test_arguments_of_flow(x, arguments, error, message):
    with pytest.raises(error, match=message):
        G.flow(x, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fill_mode": "mirror"}, "fill_mode is 'mirror'; expected one of 'constant', 'nearest', 'reflect', 'wrap'"),
        ({"data_format": "NCHW"}, "data_format is 'NCHW'; expected 'channels_last' or 'channels_first'"),
        ({"zoom_range": (1, 2, 3)}, "zoom_range is .*; expected a number or two"),
        ({"zoom_range": "wide"}, "zoom_range is 'wide'; expected a number or two"),
        ({"brightness_range": 0.5}, r"brightness_range is 0.5; expected two: \(lower, upper\)"),
        ({"validation_split": 1.5}, "validation_split is 1.5; expected a fraction"),
        ({"validation_split": -0.1}, "validation_split is -0.1; expected a fraction"),
        ({"shear_range": 20}, r"shear_range is 20 radians; expected less than pi/2. For degrees: np.deg2rad\(20\)"),
        ({"preprocessing_function": "caffe"}, "preprocessing_function is 'caffe'; expected a function of one image"),
    ],
)
def test_arguments_of_the_generator(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        ImageDataGenerator(**arguments)


def test_images_that_do_not_fit_what_was_learned():
    g = ImageDataGenerator(featurewise_center=True)
    with pytest.raises(ShapeError, match=r"x has the shape \(4, 5, 3\); expected images of rank 4"):
        g.fit(X[0])
    with pytest.raises(DataError, match="fit: x has no images"):
        g.fit(X[:0])
    with pytest.raises(ArgumentError, match="rounds is 0; expected at least 1"):
        g.fit(X, augment=True, rounds=0)
    g.fit(X)
    with pytest.raises(ShapeError, match="fit was given images of 3 channels"):
        g.standardize(X[..., :1].copy())
    g = ImageDataGenerator(zca_whitening=True)
    g.fit(X)
    with pytest.raises(ShapeError, match="30 values an image; fit for zca_whitening was given images of 60"):
        g.standardize(X[0, :2])
    with pytest.raises(ShapeError, match=r"made the shape \(4, 5\) of an image of the shape \(4, 5, 3\)"):
        next(ImageDataGenerator(preprocessing_function=lambda x: x[..., 0]).flow(X))


def test_single_images():
    for call in (
        lambda: G.apply_transform(X, {}),
        lambda: G.random_transform(X[0, 0]),
        lambda: G.get_random_transform((4, 5)),
        lambda: G.standardize(X[0, 0]),
        lambda: image.random_rotation(X[0, 0], 3),
        lambda: image.random_shift(X, 0.1, 0.1),
        lambda: image.array_to_img(X),
        lambda: image.img_to_array(X),
        lambda: image.apply_transform(X[0], np.eye(2), 2),
    ):
        with pytest.raises(ShapeError, match=r"expected .*(3 axes|three sizes|2 or 3 axes|\(3, 3\))"):
            call()
    with pytest.raises(ArgumentError, match=r"transform_parameters has \['angle'\]; expected any of theta, tx"):
        G.apply_transform(X[0], {"angle": 3})
    with pytest.raises(ArgumentError, match=r"are \(0, 1, 1\); expected three different axes"):
        image.random_rotation(X[0], 3, 0, 1, 1)
    with pytest.raises(ArgumentError, match=r"channel_axis are .*; expected three different axes"):
        image.random_shift(X[0], 0.1, 0.1, 1, 2, 3)
    for function in (image.random_zoom, image.random_brightness):
        with pytest.raises(ArgumentError, match=r"_range is 3; expected two numbers, \(lower, upper\)"):
            function(X[0], 3)
    with pytest.raises(ShapeError, match="x has 5 channels; expected 1 .*Is data_format right"):
        image.array_to_img(X[0].transpose(2, 0, 1))
    with pytest.raises(ArgumentError, match="data_format is 'last'; expected"):
        image.img_to_array(X[0], "last")


def test_texts():
    for call in (lambda: text_to_word_sequence(None), lambda: Tokenizer().fit_on_texts(["a", float("nan")])):
        with pytest.raises(DataError, match="text is (None|nan), of type .*; expected a string"):
            call()
    for arguments, text in (({}, ["a", 3]), ({"char_level": True}, 3), ({"lower": False}, ["a", None])):
        with pytest.raises(DataError, match="a text is .*; expected a string, or a list of strings"):
            Tokenizer(**arguments).fit_on_texts([text])
    with pytest.raises(KcoreWarning, match=r"for one text give a list: \[text\]"):
        Tokenizer().fit_on_texts("the cat")
    with pytest.raises(ArgumentError, match="`num_words` of Tokenizer must be an int, 0 or more"):
        Tokenizer(num_words=-1)
    with pytest.raises(ArgumentError, match="'vocabulary', given to Tokenizer. Its arguments are char_level"):
        Tokenizer(vocabulary=3)
    for n in (1, 0, -4):
        with pytest.raises(ArgumentError, match=f"n is {n}; expected at least 2"):
            one_hot("a", n)
    with pytest.raises(ArgumentError, match="hash_function is 'sha1'; expected None, 'md5' or a function"):
        hashing_trick("a", 3, "sha1")
    for wrong in ("{", "[]", "{}", '{"config": {"num_words": 3}}'):
        with pytest.raises(DataError, match="not what Tokenizer.to_json wrote"):
            tokenizer_from_json(wrong)


def test_empty_texts():
    t = Tokenizer()
    for texts in ([], [""], ["", " \t"]):
        t.fit_on_texts(texts)
        assert t.texts_to_sequences(["a", ""]) == [[], []]
        with pytest.raises(DataError, match="the vocabulary is empty: call fit_on_texts first, or give num_words"):
            t.texts_to_matrix(["a"])
    with pytest.raises(DataError, match="'tfidf' needs document counts: call fit_on_texts"):
        Tokenizer(num_words=3).sequences_to_matrix([[1]], "tfidf")
    t = Tokenizer(num_words=3)
    assert t.texts_to_matrix([], "freq").shape == (0, 3)
    assert t.texts_to_matrix([""], "freq").tolist() == [[0, 0, 0]]
    with pytest.raises(ArgumentError, match="mode is 'tf'; expected 'binary', 'count', 'freq' or 'tfidf'"):
        t.sequences_to_matrix([[1]], "tf")
    for wrong in ([1, 2], [[-1]], [[[1]]]):
        with pytest.raises(DataError, match=r"sequences\[0\] is .*; expected a list of word numbers"):
            t.sequences_to_matrix(wrong)
    assert hashing_trick("", 5) == [] and skipgrams([], 5) == ([], []) and pad_sequences([]).shape == (0, 0)


def test_sequences():
    for arguments, message in (
        ({"maxlen": -1}, "`maxlen` must be an int, 0 or more"),
        ({"padding": "both"}, "padding is 'both'; expected 'pre' or 'post'"),
        ({"truncating": "middle"}, "truncating is 'middle'; expected"),
    ):
        with pytest.raises(ArgumentError, match=message):
            pad_sequences([[1]], **arguments)
    with pytest.raises(DataError, match=r"sequences\[0\] does not fit the dtype int32 .*for strings use dtype=object"):
        pad_sequences([["a", "b"]])
    with pytest.raises(DataError, match=r"sequences is 5; expected a list of sequences"):
        pad_sequences(5)
    with pytest.raises(ArgumentError, match="`size` must be an int, 0 or more"):
        make_sampling_table(-2)
    with pytest.raises(ArgumentError, match="`window_size` must be a number, 0 or more"):
        skipgrams([1, 2], 3, window_size=-1)
    with pytest.raises(ArgumentError, match="`negative_samples` must be a number, 0 or more"):
        skipgrams([1, 2], 3, negative_samples=-1)
    with pytest.raises(DataError, match=r"the word 7, and sampling_table has 3 entries; .*make_sampling_table"):
        skipgrams([1, 7], 8, sampling_table=make_sampling_table(3))


def test_series():
    data = np.arange(10)
    for name in ("length", "sampling_rate", "stride", "batch_size"):
        with pytest.raises(ArgumentError, match=f"{name} is 0; expected at least 1"):
            TimeseriesGenerator(data, data, **{"length": 2, name: 0})
    for part in ({"start_index": -1}, {"end_index": 10}):
        with pytest.raises(ArgumentError, match="expected steps of the data, 0 to 9"):
            TimeseriesGenerator(data, data, 2, **part)
    with pytest.raises(DataError, match="no window fits.*Use a smaller length, or more data"):
        TimeseriesGenerator(data, data, 3, start_index=7)
    g = TimeseriesGenerator(data, data, 3, batch_size=4)
    assert len(g) == 2 and g[-1][1].tolist() == [7, 8, 9]
    with pytest.raises(IndexError, match="batch 2 was asked for; there are 2"):
        g[2]

"""Images: transforms against golden values, iterators, folders, errors."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from kcore.errors import ArgumentError, DataError, KcoreWarning, ShapeError
from kcore.preprocessing import image
from kcore.preprocessing.image import ImageDataGenerator

GOLDEN = np.load(Path(__file__).parent / "golden" / "image.npz")
IMAGES = GOLDEN["images"]
MOVES = {
    "rotation_range": 40,
    "width_shift_range": 0.3,
    "height_shift_range": 2,
    "shear_range": 0.2,
    "zoom_range": 0.3,
    "channel_shift_range": 30,
    "horizontal_flip": True,
    "vertical_flip": True,
}


@pytest.mark.parametrize("mode", ["nearest", "constant", "reflect", "wrap"])
def test_transforms_are_those_of_keras(mode):
    parameters = {"theta": 33, "tx": 1.3, "ty": -2.2, "shear": 12, "zx": 1.4, "zy": 0.7, "flip_horizontal": 1}
    got = [ImageDataGenerator(fill_mode=mode, cval=9.0).apply_transform(x, parameters) for x in IMAGES]
    np.testing.assert_allclose(got, GOLDEN[f"apply_{mode}"], atol=2e-3)


def test_a_seed_gives_the_batches_of_keras():
    moves = {**MOVES, "horizontal_flip": False, "vertical_flip": False}
    flow = ImageDataGenerator(**moves, brightness_range=(0.5, 1.5)).flow(IMAGES, np.arange(7), batch_size=3, seed=5)
    for i in range(6):
        x, y = next(flow)
        np.testing.assert_array_equal(y, GOLDEN[f"flow_y{i}"])
        # Brightness is in whole steps: a rounding difference before it may move a pixel by one step of its factor.
        difference = np.abs(x - GOLDEN[f"flow_x{i}"])
        assert difference.max() <= 2 and (difference > 1e-2).mean() < 0.02


@pytest.mark.parametrize("name", ["samplewise_std_normalization", "featurewise_std_normalization"])
def test_standardization(name):
    g = ImageDataGenerator(**{name: True})
    g.fit(IMAGES / 255)
    np.testing.assert_allclose(g.standardize(IMAGES / 255), GOLDEN[name], atol=2e-4)
    np.testing.assert_allclose(g.standardize(IMAGES[2] / 255), GOLDEN[name][2], atol=2e-4)


def test_zca_whitens():
    x = np.random.RandomState(0).normal(size=(400, 2, 2, 3)) @ [[1, 0.9, 0.5], [0, 0.5, 0], [0, 0, 0.2]] * 9
    g = ImageDataGenerator(zca_whitening=True)
    g.fit(x)
    white = g.standardize(x.astype("float32")).reshape(400, -1)
    np.testing.assert_allclose(white.T @ white / 400, np.eye(12), atol=1e-3)


def test_functions():
    np.random.seed(3)
    x, axes = IMAGES[0], (0, 1, 2)
    got = [
        image.random_rotation(x, 20, *axes),
        image.random_shift(x, 0.2, 0.3, *axes),
        image.random_shear(x, 0.3, *axes),
        image.random_zoom(x, (0.5, 1.5), *axes),
        image.random_channel_shift(x, 20, 2),
        image.random_brightness(x, (0.5, 1.5)),
    ]
    np.testing.assert_allclose(got, GOLDEN["functions"], atol=2e-3)


def test_channels_first_is_the_same():
    last = ImageDataGenerator(**MOVES).flow(IMAGES, batch_size=7, seed=1)
    first = ImageDataGenerator(**MOVES, data_format="channels_first").flow(
        IMAGES.transpose(0, 3, 1, 2), batch_size=7, seed=1
    )
    np.testing.assert_array_equal(next(last), next(first).transpose(0, 2, 3, 1))


def test_batches_do_not_depend_on_who_asks_for_them():
    def flow():
        return ImageDataGenerator(**MOVES).flow(IMAGES, np.arange(7), batch_size=2, seed=3)

    in_turn = flow()
    expected = [next(in_turn) for _ in range(4)]
    by_index, copied = flow(), pickle.loads(pickle.dumps(flow()))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(by_index.__getitem__, [3, 1, 0, 2]))
    for i, batch in zip([3, 1, 0, 2], found):
        np.testing.assert_array_equal(batch[0], expected[i][0])
        np.testing.assert_array_equal(copied[i][0], expected[i][0])
    by_index.on_epoch_end()
    np.testing.assert_array_equal(by_index[0][0], next(in_turn)[0])
    with pytest.raises(IndexError):
        by_index[4]


def test_the_users_function_draws_from_the_seed():
    def noise(x):
        return x + np.random.uniform(size=x.shape)

    a, b = (ImageDataGenerator(preprocessing_function=noise).flow(IMAGES, seed=1) for _ in range(2))
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    np.testing.assert_array_equal(next(a), next(b))
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_subsets_weights_and_saving(tmp_path):
    g = ImageDataGenerator(validation_split=0.3)
    y = np.arange(7)
    assert g.flow(IMAGES, y, subset="validation", shuffle=False)[0][1].tolist() == [0, 1]
    _x, y, w = g.flow(IMAGES, y, subset="training", shuffle=False, sample_weight=y * 2, save_to_dir=tmp_path)[0]
    assert y.tolist() == [2, 3, 4, 5, 6] and w.tolist() == [4, 6, 8, 10, 12]
    assert len(image.list_pictures(tmp_path)) == 5


@pytest.fixture
def folder(tmp_path):
    for name, count in (("cats", 3), ("dogs", 2)):
        (tmp_path / name / "more").mkdir(parents=True)
        for i in range(count):
            image.save_img(tmp_path / name / "more" / f"{i}.png", IMAGES[i], scale=False)
    return tmp_path


def test_folders(folder):
    flow = ImageDataGenerator(rescale=0.5).flow_from_directory(folder, target_size=(6, 6), shuffle=False)
    x, y = next(flow)
    np.testing.assert_array_equal(x, IMAGES[[0, 1, 2, 0, 1]] / 2)
    assert y.tolist() == [[1, 0]] * 3 + [[0, 1]] * 2
    assert flow.class_indices == {"cats": 0, "dogs": 1} and flow.samples == 5
    for mode, expected in (("binary", [0, 0, 0, 1, 1]), ("sparse", [0, 0, 0, 1, 1])):
        batch = next(ImageDataGenerator().flow_from_directory(folder, class_mode=mode, shuffle=False))
        assert batch[0].shape == (5, 256, 256, 3) and batch[1].tolist() == expected
    gray = ImageDataGenerator().flow_from_directory(folder, color_mode="grayscale", class_mode=None, classes=["dogs"])
    assert next(gray).shape == (2, 256, 256, 1)
    a, b = next(ImageDataGenerator().flow_from_directory(folder, class_mode="input"))
    np.testing.assert_array_equal(a, b)


def test_images_and_masks_stay_in_step(folder):
    arguments = {"rotation_range": 90.0, "width_shift_range": 0.1, "height_shift_range": 0.1, "zoom_range": 0.2}
    images, masks = (
        ImageDataGenerator(**arguments).flow_from_directory(
            folder, class_mode=None, seed=1, batch_size=2, target_size=(9, 9)
        )
        for _ in range(2)
    )
    for _, (a, b) in zip(range(7), zip(images, masks)):
        np.testing.assert_array_equal(a, b)


def test_errors(folder, tmp_path):
    g = ImageDataGenerator()
    with pytest.raises(ShapeError, match="rank 4"):
        g.flow(IMAGES[0])
    with pytest.raises(DataError, match="7 images and y 3"):
        g.flow(IMAGES, np.zeros(3))
    with pytest.raises(DataError, match="no images"):
        g.fit(IMAGES[:0])
    with pytest.raises(DataError, match="is not a folder"):
        g.flow_from_directory(tmp_path / "nothing")
    with pytest.raises(DataError, match="has no pictures"):
        g.flow_from_directory(folder / "cats" / "more")
    (folder / "dogs" / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="bad.png cannot be read as a picture"):
        next(g.flow_from_directory(folder))
    with pytest.raises(KcoreWarning, match="call fit"):
        ImageDataGenerator(featurewise_center=True).standardize(IMAGES[0].copy())
    for wrong in (
        {"zoom_range": [1, 2, 3]},
        {"data_format": "last"},
        {"brightness_range": 3},
        {"fill_mode": "mirror"},
        {"shear_range": 20},
        {"validation_split": 2},
    ):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            ImageDataGenerator(**wrong)
    with pytest.raises(ShapeError, match="2 channels"):
        image.array_to_img(IMAGES[0, :, :, :2])

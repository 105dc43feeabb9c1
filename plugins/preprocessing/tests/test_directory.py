"""Folders of pictures, flips, drawn shifts: values observed in tf-keras; files written; labels."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from kcore.preprocessing import image
from kcore.preprocessing.image import ImageDataGenerator

HERE = Path(__file__).parent / "golden"
GOLDEN = np.load(HERE / "directory.npz")
MADE = SimpleNamespace(**runpy.run_path(str(HERE / "make_directory.py")))
IMAGES = MADE.PICTURES.astype("float32")


def read(path):
    """Mode and pixels of a picture."""
    with Image.open(path) as file:
        return file.mode, np.array(file)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return MADE.write_folder(str(tmp_path_factory.mktemp("folder")))


@pytest.mark.parametrize("interpolation", MADE.INTERPOLATIONS)
def test_load_img(pictures, interpolation):
    path = Path(pictures) / MADE.NAMES[0]
    color = image.load_img(path, target_size=(9, 4), interpolation=interpolation)
    gray = image.load_img(str(path), grayscale=True, target_size=(3, 12), interpolation=interpolation)
    assert (color.mode, color.size, gray.mode, gray.size) == ("RGB", (4, 9), "L", (12, 3))
    # Pillow's versions round differently.
    np.testing.assert_allclose(np.array(color), GOLDEN[f"load_{interpolation}"], atol=1)
    np.testing.assert_allclose(np.array(gray), GOLDEN[f"gray_{interpolation}"], atol=1)
    assert image.img_to_array(gray).shape == (3, 12, 1)
    assert image.img_to_array(gray, "channels_first").shape == (1, 3, 12)


@pytest.mark.parametrize("name", MADE.FLOWS)
def test_flow_from_directory(pictures, name):
    generator, arguments = MADE.FLOWS[name]
    flow = ImageDataGenerator(**generator).flow_from_directory(pictures, **MADE.SIZE, **arguments)
    assert [f.replace("\\", "/") for f in flow.filenames] == GOLDEN[f"{name}_files"].tolist()
    parts = MADE.one_pass(flow)
    assert len(parts) == (1 if name == "none" else 2)
    for key, part in zip("xy", parts):
        np.testing.assert_allclose(part, GOLDEN[f"{name}_{key}"], atol=1)
        # The manual has integers for 'sparse'.
        assert part.dtype == ("int32" if (name, key) == ("sparse", "y") else "float32")


def test_the_attributes_of_a_flow(pictures, capsys):
    flow = ImageDataGenerator().flow_from_directory(pictures, classes=["c", "a"], follow_links=True, **MADE.SIZE)
    assert flow.class_indices == {"c": 0, "a": 1} and flow.classes.tolist() == [0, 1, 1, 1, 1]
    assert (flow.samples, flow.num_classes, flow.image_shape, len(flow)) == (5, 2, (4, 6, 3), 1)
    assert capsys.readouterr().out == "Found 5 images belonging to 2 classes.\n"


@pytest.mark.parametrize("name", MADE.SHIFTS)
def test_drawn_shifts(name):
    g = ImageDataGenerator(**MADE.SHIFTS[name])
    drawn = [g.get_random_transform((6, 9, 3), seed=seed) for seed in range(8)]
    np.testing.assert_allclose([[p[key] for key in MADE.DRAWN] for p in drawn], GOLDEN[f"shift_{name}"], rtol=1e-12)
    first = ImageDataGenerator(**MADE.SHIFTS[name], data_format="channels_first")
    assert first.get_random_transform((3, 6, 9), seed=5) == drawn[5]


def test_flips_in_a_flow_of_images_that_are_not_square():
    flow = ImageDataGenerator(**MADE.FLIPS).flow(IMAGES, np.arange(len(IMAGES)), 4, seed=11)
    for i in range(6):
        x, y = next(flow)
        np.testing.assert_array_equal(y, GOLDEN[f"flip_y{i}"])
        np.testing.assert_allclose(x, GOLDEN[f"flip_x{i}"], atol=1e-4)


@pytest.mark.parametrize("subset", ["training", "validation"])
def test_subsets_of_a_flow(subset):
    g = ImageDataGenerator(validation_split=0.3)
    y = np.arange(len(IMAGES)) % 2
    part = y[2:] if subset == "training" else y[:2]
    x, labels, weights = next(g.flow(IMAGES, y, shuffle=False, subset=subset, sample_weight=y + 5))
    np.testing.assert_array_equal(x, GOLDEN[f"flow_{subset}"])
    assert labels.tolist() == part.tolist() and weights.tolist() == (part + 5).tolist()


def test_the_two_subsets_share_no_picture(pictures):
    g = ImageDataGenerator(validation_split=0.4)
    names = [g.flow_from_directory(pictures, subset=s).filenames for s in ("training", "validation")]
    assert not set(names[0]) & set(names[1])
    assert set(names[0]) | set(names[1]) == set(ImageDataGenerator().flow_from_directory(pictures).filenames)


def test_a_subclass_may_define_random_transform():
    class Noisy(ImageDataGenerator):
        def random_transform(self, x, seed=None):
            return super().random_transform(x, seed) + np.random.normal(size=x.shape)

    def flow():
        return Noisy(horizontal_flip=True, rescale=2).flow(IMAGES, batch_size=4, seed=1, shuffle=False)

    draws = np.random.RandomState(1)
    draws_before = np.random.get_state()[1].copy()
    got = next(flow())
    np.testing.assert_array_equal(np.random.get_state()[1], draws_before)  # the user's own numbers stay as they were
    for x, given in zip(got, IMAGES):
        flip, _ = draws.random_sample() < 0.5, draws.random_sample()
        noise = draws.normal(size=given.shape)
        np.testing.assert_allclose(x, 2 * ((given[:, ::-1] if flip else given) + noise), atol=1e-3)
    a, b = flow(), flow()
    for i in (1, 0, 1):
        np.testing.assert_array_equal(a[i], b[i])


@pytest.mark.parametrize("file_format", ["png", "jpeg"])
def test_save_to_dir(tmp_path, pictures, file_format):
    flow = ImageDataGenerator(vertical_flip=True).flow(
        IMAGES, batch_size=4, seed=2, save_to_dir=str(tmp_path), save_prefix="aug", save_format=file_format
    )
    batches = np.concatenate([next(flow) for _ in range(3)])
    files = {int(re.fullmatch(rf"aug_(\d+)_\w+\.{file_format}", p.name)[1]): p for p in tmp_path.iterdir()}
    assert sorted(files) == list(range(len(IMAGES)))
    for index, x in zip(flow.index_array, batches):
        written = read(files[index])[1]
        assert written.shape == x.shape
        if file_format == "png":  # lossless; stretched to 0..255
            np.testing.assert_array_equal(written, ((x - x.min()) / np.ptp(x) * 255).astype("uint8"))
    gray = ImageDataGenerator().flow_from_directory(
        pictures, color_mode="grayscale", save_to_dir=tmp_path, save_prefix="g", save_format=file_format, **MADE.SIZE
    )
    next(gray)
    written = [p for p in tmp_path.iterdir() if p.name.startswith("g_")]
    assert len(written) == gray.samples and all(read(p)[0] == "L" for p in written)


def test_pictures_with_transparency_are_saved_as_jpeg(tmp_path):
    next(ImageDataGenerator().flow(np.ones((2, 4, 4, 4)), save_to_dir=tmp_path, save_format="jpg"))
    assert [read(p)[0] for p in tmp_path.iterdir()] == ["RGB", "RGB"]

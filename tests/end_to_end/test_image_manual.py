"""The manual's examples of section 6.3, as written, on small pictures."""

from __future__ import annotations

import numpy as np
import pytest

from kcore.layers import Conv2D, Dense, Flatten
from kcore.models import Sequential
from kcore.preprocessing.image import ImageDataGenerator, save_img
from kcore.utils import np_utils

SHIFTS = {"featurewise_center": True, "featurewise_std_normalization": True}


def classifier(shape, units):
    model = Sequential([Flatten(input_shape=shape), Dense(units, activation="softmax" if units > 1 else "sigmoid")])
    model.compile("sgd", "categorical_crossentropy" if units > 1 else "binary_crossentropy")
    return model


@pytest.mark.parametrize("workers", [1, 3])
def test_flow(workers):
    num_classes, epochs = 3, 2
    x_train = np.random.RandomState(0).uniform(0, 255, (20, 8, 8, 3))
    y_train = np_utils.to_categorical(np.arange(20) % 3, num_classes)
    datagen = ImageDataGenerator(
        **SHIFTS, rotation_range=20, width_shift_range=0.2, height_shift_range=0.2, horizontal_flip=True
    )
    datagen.fit(x_train)
    model = classifier((8, 8, 3), num_classes)
    flow = datagen.flow(x_train, y_train, batch_size=8)
    history = model.fit_generator(flow, steps_per_epoch=len(x_train) / 8, epochs=epochs, workers=workers, verbose=0)
    assert np.isfinite(history.history["loss"]).all() and len(history.epoch) == epochs

    seen = []
    for _ in range(epochs):
        batches = 0
        for x_batch, y_batch in datagen.flow(x_train, y_train, batch_size=8):
            model.fit(x_batch, y_batch, verbose=0)
            seen.append(len(x_batch))
            batches += 1  # noqa: SIM113 (as the manual writes it)
            if batches >= len(x_train) / 8:
                break
    assert seen == [8, 8, 4] * epochs


def pictures(folder, names, channels=3):
    for i, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for j in range(5):
            save_img(folder / name / f"{j}.png", np.random.RandomState(i * 5 + j).uniform(size=(12, 10, channels)))
    return str(folder)


def test_flow_from_directory(tmp_path):
    train = pictures(tmp_path / "train", ["cats", "dogs"])
    validation = pictures(tmp_path / "validation", ["cats", "dogs"])
    train_datagen = ImageDataGenerator(rescale=1.0 / 255, shear_range=0.2, zoom_range=0.2, horizontal_flip=True)
    test_datagen = ImageDataGenerator(rescale=1.0 / 255)
    train_generator = train_datagen.flow_from_directory(train, target_size=(15, 15), batch_size=4, class_mode="binary")
    validation_generator = test_datagen.flow_from_directory(
        validation, target_size=(15, 15), batch_size=4, class_mode="binary"
    )
    history = classifier((15, 15, 3), 1).fit_generator(
        train_generator,
        steps_per_epoch=5,
        epochs=2,
        validation_data=validation_generator,
        validation_steps=3,
        verbose=0,
    )
    assert np.isfinite(history.history["val_loss"]).all()


def test_images_and_masks(tmp_path):
    images = masks = np.random.RandomState(0).uniform(0, 255, (6, 16, 16, 3))
    folders = [pictures(tmp_path / name, ["all"]) for name in ("images", "masks")]
    data_gen_args = dict(**SHIFTS, rotation_range=90.0, width_shift_range=0.1, height_shift_range=0.1, zoom_range=0.2)
    image_datagen = ImageDataGenerator(**data_gen_args)
    mask_datagen = ImageDataGenerator(**data_gen_args)
    seed = 1
    image_datagen.fit(images, augment=True, seed=seed)
    mask_datagen.fit(masks, augment=True, seed=seed)
    image_generator = image_datagen.flow_from_directory(folders[0], (16, 16), class_mode=None, seed=seed)
    mask_generator = mask_datagen.flow_from_directory(folders[1], (16, 16), class_mode=None, seed=seed)
    train_generator = zip(image_generator, mask_generator)
    np.testing.assert_array_equal(*next(train_generator))
    model = Sequential([Conv2D(3, 3, padding="same", input_shape=(16, 16, 3))])
    model.compile("sgd", "mse")
    history = model.fit_generator(train_generator, steps_per_epoch=3, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()

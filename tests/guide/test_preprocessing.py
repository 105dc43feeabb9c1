"""The examples of the manual's chapter 6, with `keras` as they are written; pictures and numbers of steps are small."""
# ruff: noqa: C408, RUF059, SIM113

from __future__ import annotations

import numpy as np
import pytest


@pytest.mark.parametrize("workers", [1, 3])
def test_flow(published, workers):
    """Section 6.3.1, `.flow(x, y)`."""
    from keras.datasets import cifar10
    from keras.layers import Dense, Flatten
    from keras.models import Sequential
    from keras.preprocessing.image import ImageDataGenerator
    from keras.utils import np_utils

    num_classes, epochs = 10, 2
    model = Sequential([Flatten(input_shape=(32, 32, 3)), Dense(num_classes, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy")

    (x_train, y_train), (x_test, y_test) = cifar10.load_data()
    y_train = np_utils.to_categorical(y_train, num_classes)
    y_test = np_utils.to_categorical(y_test, num_classes)

    datagen = ImageDataGenerator(
        featurewise_center=True,
        featurewise_std_normalization=True,
        rotation_range=20,
        width_shift_range=0.2,
        height_shift_range=0.2,
        horizontal_flip=True,
    )
    datagen.fit(x_train)
    history = model.fit_generator(
        datagen.flow(x_train, y_train, batch_size=8),
        steps_per_epoch=len(x_train) / 8,
        epochs=epochs,
        workers=workers,
    )
    assert np.isfinite(history.history["loss"]).all() and len(history.epoch) == epochs

    seen = []
    for e in range(epochs):
        print("Epoch", e)
        batches = 0
        for x_batch, y_batch in datagen.flow(x_train, y_train, batch_size=8):
            model.fit(x_batch, y_batch)
            seen.append(len(x_batch))
            batches += 1
            if batches >= len(x_train) / 8:
                break
    assert seen == [8, 8, 4] * epochs


def pictures(*folders):
    """Five pictures in each folder below data/."""
    from pathlib import Path

    from keras.preprocessing.image import save_img

    for i, folder in enumerate(folders):
        path = Path("data") / folder
        path.mkdir(parents=True)
        for j in range(5):
            save_img(path / f"{j}.png", np.random.RandomState(i % 2 * 5 + j).uniform(size=(160, 150, 3)))


def test_flow_from_directory():
    """Section 6.3.1, `.flow_from_directory(directory)`."""
    from keras.layers import Dense, Flatten
    from keras.models import Sequential
    from keras.preprocessing.image import ImageDataGenerator

    pictures("train/cats", "train/dogs", "validation/cats", "validation/dogs")
    model = Sequential([Flatten(input_shape=(150, 150, 3)), Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")

    train_datagen = ImageDataGenerator(rescale=1.0 / 255, shear_range=0.2, zoom_range=0.2, horizontal_flip=True)

    test_datagen = ImageDataGenerator(rescale=1.0 / 255)

    train_generator = train_datagen.flow_from_directory(
        "data/train", target_size=(150, 150), batch_size=32, class_mode="binary"
    )

    validation_generator = test_datagen.flow_from_directory(
        "data/validation", target_size=(150, 150), batch_size=32, class_mode="binary"
    )

    history = model.fit_generator(
        train_generator,
        steps_per_epoch=3,
        epochs=2,
        validation_data=validation_generator,
        validation_steps=2,
    )

    assert train_generator.class_indices == {"cats": 0, "dogs": 1}
    assert np.isfinite(history.history["val_loss"]).all()


def test_images_and_masks():
    """Section 6.3.1, the last example; its model is a convolution."""
    from keras.layers import Conv2D
    from keras.models import Sequential
    from keras.preprocessing.image import ImageDataGenerator

    pictures("images/all", "unused", "masks/all")
    images = masks = np.random.RandomState(0).uniform(0, 255, (6, 16, 16, 3))
    model = Sequential([Conv2D(3, 3, padding="same", input_shape=(256, 256, 3))])
    model.compile("sgd", "mse")

    data_gen_args = dict(
        featurewise_center=True,
        featurewise_std_normalization=True,
        rotation_range=90.0,
        width_shift_range=0.1,
        height_shift_range=0.1,
        zoom_range=0.2,
    )
    image_datagen = ImageDataGenerator(**data_gen_args)
    mask_datagen = ImageDataGenerator(**data_gen_args)

    seed = 1
    image_datagen.fit(images, augment=True, seed=seed)
    mask_datagen.fit(masks, augment=True, seed=seed)

    image_generator = image_datagen.flow_from_directory("data/images", class_mode=None, seed=seed)

    mask_generator = mask_datagen.flow_from_directory("data/masks", class_mode=None, seed=seed)

    train_generator = zip(image_generator, mask_generator)

    history = model.fit_generator(train_generator, steps_per_epoch=2, epochs=2)

    assert np.isfinite(history.history["loss"]).all()
    np.testing.assert_array_equal(*next(train_generator))  # the files are the same ones: so are the transforms


def test_sequences_and_texts():
    """Sections 6.1 and 6.2: the calls with their documented arguments."""
    from keras.preprocessing.sequence import make_sampling_table, pad_sequences, skipgrams
    from keras.preprocessing.text import Tokenizer, hashing_trick, one_hot, text_to_word_sequence

    padded = pad_sequences([[1, 2, 3], [4]], maxlen=None, dtype="int32", padding="pre", truncating="pre", value=0.0)
    assert padded.tolist() == [[1, 2, 3], [0, 0, 4]]
    couples, labels = skipgrams(
        [1, 2, 3],
        vocabulary_size=5,
        window_size=4,
        negative_samples=1.0,
        shuffle=True,
        categorical=False,
        sampling_table=None,
    )
    positive = sorted(tuple(couple) for couple, label in zip(couples, labels) if label)
    assert positive == [(1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2)] and len(couples) == 12
    table = make_sampling_table(5, sampling_factor=1e-5)
    assert table.shape == (5,) and (np.diff(table) >= 0).all()
    assert text_to_word_sequence("The cat, the mat!", lower=True, split=" ") == ["the", "cat", "the", "mat"]
    for codes in (one_hot("the cat the", 50), hashing_trick("the cat the", 50, hash_function="md5")):
        assert codes[0] == codes[2] and all(1 <= code <= 50 for code in codes)
    tokenizer = Tokenizer(num_words=None, lower=True, split=" ", char_level=False)
    tokenizer.fit_on_texts(["the cat", "the mat the"])
    assert tokenizer.word_index["the"] == 1 and tokenizer.document_count == 2
    assert dict(tokenizer.word_counts) == {"the": 3, "cat": 1, "mat": 1} and tokenizer.word_docs["the"] == 2
    assert tokenizer.texts_to_sequences(["the the dog"]) == [[1, 1]]
    assert list(tokenizer.texts_to_sequences_generator(["the"])) == [[1]]
    for mode in ("binary", "count", "tfidf", "freq"):
        assert tokenizer.texts_to_matrix(["the the"], mode=mode).shape == (1, 4)
    assert tokenizer.sequences_to_matrix([[1, 1]], mode="count").tolist() == [[0, 2, 0, 0]]

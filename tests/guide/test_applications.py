"""The examples of the manual's chapter 13, as they are written.

Weights and class names that they fetch come from a server on loopback, or are random ones (`weights=None`, where the
file would have half a gigabyte); the photograph is one of scikit-learn's.
"""
# ruff: noqa: I001

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kcore import applications
from kcore.applications import imagenet_utils
from kcore.testing import serve

pytestmark = pytest.mark.slow

FEATURES = Path(__file__).parents[1] / "applications" / "golden" / "features.npz"


@pytest.fixture(autouse=True)
def photograph(tmp_path):
    with np.load(FEATURES) as file:
        Image.fromarray(file["photographs"][1]).save(tmp_path / "elephant.jpg")


@pytest.fixture
def release(tmp_path, monkeypatch):
    """Publishes the random weights of an application of one name, on loopback, with the names of the classes."""
    monkeypatch.setenv("KCORE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "served"
    folder.mkdir()
    index = {str(i): [f"n{i:08d}", f"class_{i}"] for i in range(1000)}
    (folder / "imagenet_class_index.json").write_text(json.dumps(index))
    imagenet_utils.labels._names.cache_clear()
    with serve(folder) as address:
        monkeypatch.setattr(imagenet_utils.labels, "INDEX_URL", address + "imagenet_class_index.json")
        monkeypatch.setattr(imagenet_utils.labels, "INDEX_HASH", None)

        def publish(module, name, include_top):
            local = replace(module.RELEASED, url=address, top_hash=None, no_top_hash=None)
            monkeypatch.setattr(module, "RELEASED", local)
            model = getattr(applications, name)(weights=None, include_top=include_top)
            model.save_weights(folder / (local.top if include_top else local.no_top))

        yield publish
    imagenet_utils.labels._names.cache_clear()


def test_classify_with_resnet50(release):
    """Section 13.2.1."""
    release(applications.resnet50.model, "ResNet50", True)

    from keras.applications.resnet50 import ResNet50
    from keras.preprocessing import image
    from keras.applications.resnet50 import preprocess_input, decode_predictions
    import numpy as np

    model = ResNet50(weights="imagenet")
    img_path = "elephant.jpg"
    img = image.load_img(img_path, target_size=(224, 224))
    x = image.img_to_array(img)
    x = np.expand_dims(x, axis=0)
    x = preprocess_input(x)
    preds = model.predict(x)
    print("Predicted:", decode_predictions(preds, top=3)[0])

    best = decode_predictions(preds, top=3)[0]
    assert preds.shape == (1, 1000) and best[0][1] == f"class_{preds[0].argmax()}" and len(best) == 3


def test_features_with_vgg16(release):
    """Section 13.2.2."""
    release(applications.vgg16, "VGG16", False)

    from keras.applications.vgg16 import VGG16
    from keras.preprocessing import image
    from keras.applications.vgg16 import preprocess_input
    import numpy as np

    model = VGG16(weights="imagenet", include_top=False)
    img_path = "elephant.jpg"
    img = image.load_img(img_path, target_size=(224, 224))
    x = image.img_to_array(img)
    x = np.expand_dims(x, axis=0)
    x = preprocess_input(x)
    features = model.predict(x)

    assert features.shape == (1, 7, 7, 512)


def test_an_intermediate_layer_of_vgg19():
    """Section 13.2.3."""
    from keras.applications.vgg19 import VGG19
    from keras.preprocessing import image
    from keras.applications.vgg19 import preprocess_input
    from keras.models import Model
    import numpy as np

    base_model = VGG19(weights=None)
    model = Model(inputs=base_model.input, outputs=base_model.get_layer("block4_pool").output)
    img_path = "elephant.jpg"
    img = image.load_img(img_path, target_size=(224, 224))
    x = image.img_to_array(img)
    x = np.expand_dims(x, axis=0)
    x = preprocess_input(x)
    block4_pool_features = model.predict(x)

    assert block4_pool_features.shape == (1, 14, 14, 512)


def batches():
    while True:
        yield np.random.uniform(-1, 1, (2, 139, 139, 3)), np.eye(200)[np.random.randint(200, size=2)]


def test_fine_tune_inception_v3(release, capsys):
    """Section 13.2.4."""
    release(applications.inception_v3.model, "InceptionV3", False)

    from keras.applications.inception_v3 import InceptionV3
    from keras.models import Model
    from keras.layers import Dense, GlobalAveragePooling2D

    base_model = InceptionV3(weights="imagenet", include_top=False)
    x = base_model.output
    x = GlobalAveragePooling2D()(x)
    x = Dense(1024, activation="relu")(x)
    predictions = Dense(200, activation="softmax")(x)
    model = Model(inputs=base_model.input, outputs=predictions)
    for layer in base_model.layers:
        layer.trainable = False
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy")
    kernels = [base_model.get_layer(index=i).get_weights()[0] for i in (1, 249)]
    top = [layer.get_weights() for layer in model.layers[-2:]]
    model.fit_generator(batches(), steps_per_epoch=1, epochs=1, verbose=0)
    for before, i in zip(kernels, (1, 249)):
        np.testing.assert_array_equal(model.layers[i].get_weights()[0], before)
    assert not np.array_equal(model.layers[-1].get_weights()[0], top[1][0])
    # A step of RMSprop on two random images can silence every unit of the top: nothing would reach the layers below.
    for layer, weights in zip(model.layers[-2:], top):
        layer.set_weights(weights)

    for i, layer in enumerate(base_model.layers):
        print(i, layer.name)

    for layer in model.layers[:249]:
        layer.trainable = False
    for layer in model.layers[249:]:
        layer.trainable = True
    from keras.optimizers import SGD

    model.compile(optimizer=SGD(lr=0.0001, momentum=0.9), loss="categorical_crossentropy")
    model.fit_generator(batches(), steps_per_epoch=1, epochs=1, verbose=0)
    np.testing.assert_array_equal(model.layers[1].get_weights()[0], kernels[0])
    assert not np.array_equal(model.layers[249].get_weights()[0], kernels[1])
    assert "248 mixed8" in capsys.readouterr().out


def test_inception_v3_on_an_input_tensor(release):
    """Section 13.2.5."""
    release(applications.inception_v3.model, "InceptionV3", True)

    from keras.applications.inception_v3 import InceptionV3
    from keras.layers import Input

    input_tensor = Input(shape=(224, 224, 3))
    model = InceptionV3(input_tensor=input_tensor, weights="imagenet", include_top=True)

    assert model.input is input_tensor and model.output_shape == (None, 1000)
    assert model.predict(np.zeros((1, 224, 224, 3))).shape == (1, 1000)

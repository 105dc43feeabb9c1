"""What the original's applications make of two photographs, with seeded weights.

pip install tf-keras tensorflow-cpu scikit-learn pillow        # in a throw-away environment
python make_features.py [--save FOLDER] [NAME ...]

Writes features.npz beside this file: the photographs, and for each architecture the prediction (classes=7) and the
pooled features. With --save, the weights too, as the original saves them, for check_saved_weights.py.
"""

import argparse
import json
import re
from pathlib import Path

import numpy as np
import tf_keras
from cases import CASES
from PIL import Image
from seeded_weights import fill
from sklearn.datasets import load_sample_images

HERE = Path(__file__).parent


def photographs():
    images = [Image.fromarray(image).resize((197, 197)) for image in load_sample_images().images]
    return np.stack([np.asarray(image) for image in images])


def prepared(images, side, mode):
    x = tf_keras.applications.imagenet_utils.preprocess_input(images[:, :side, :side].astype("float32"), mode=mode)
    return x / x.std()  # so that no softmax saturates


def first_numbers_as_in_the_original():
    """Automatic names begin at `conv2d_1` there, at `conv2d` here."""
    tf_keras.backend.clear_session()
    x = tf_keras.Input((4, 4, 3))
    layers = tf_keras.layers
    for layer in (
        layers.Conv2D(1, 1),
        layers.SeparableConv2D(1, 1),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.MaxPooling2D(1),
        layers.AveragePooling2D(1),
    ):
        layer(x)


def with_older_names(model):
    """ResNet50 and DenseNet as Keras 2.1 has them: names of layers; in ResNet50 also epsilon, and in a block the branch
    before the shortcut."""

    def older(match):
        stage, block, part, kind = match.groups()
        branch = ("1", "2a", "2b", "2c")[int(part)]
        return f'"{"res" if kind == "conv" else "bn"}{stage}{"abcdef"[int(block) - 1]}_branch{branch}"'

    text = json.dumps(model.get_config())
    if model.name == "resnet50":
        text = re.sub(r'"conv(\d)_block(\d)_(\d)_(conv|bn)"', older, text)
    for new, old in (("conv1_conv", "conv1"), ("conv1_bn", "bn_conv1"), ("predictions", "fc1000")):
        text = text.replace(f'"{new}"', f'"{old}"')
    config = json.loads(text)
    for layer in config["layers"]:
        if layer["class_name"] == "Add":  # DenseNet has none
            layer["inbound_nodes"][0].reverse()
        if layer["class_name"] == "BatchNormalization" and model.name == "resnet50":
            layer["config"]["epsilon"] = 1e-3
    return tf_keras.Model.from_config(config)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(CASES))
    parser.add_argument("--save", type=Path)
    arguments = parser.parse_args()
    file = HERE / "features.npz"
    results = dict(np.load(file)) if file.exists() else {}
    results["photographs"] = photographs()
    for name in arguments.names or CASES:
        side, mode = CASES[name]
        x = prepared(results["photographs"], side, mode)
        for part, options in (("top", {"classes": 7}), ("features", {"include_top": False, "pooling": "avg"})):
            first_numbers_as_in_the_original()
            build = getattr(tf_keras.applications, name)
            model = build(weights=None, input_shape=(side, side, 3), **options)
            if name == "ResNet50" or name.startswith("DenseNet"):
                model = with_older_names(model)
            fill(model)
            results[f"{name}/{part}"] = model.predict(x, verbose=0)
            if arguments.save:
                model.save_weights(arguments.save / f"{name}_{part}.h5")
        print(name, results[f"{name}/top"][0, :3], np.abs(results[f"{name}/features"]).max(), flush=True)
        np.savez_compressed(file, **results)


main()

"""Which files the original's applications ask for: address, name in the cache, md5.

pip install tf-keras tensorflow-cpu keras-applications==1.0.8 --no-deps      # in a throw-away environment
python make_released.py

Runs each application with a `get_file` that writes down its arguments; writes released.json beside this file.
"""

import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import tf_keras

MODULES = {
    "vgg16": ["VGG16"],
    "vgg19": ["VGG19"],
    "resnet50": ["ResNet50"],
    "inception_v3": ["InceptionV3"],
    "inception_resnet_v2": ["InceptionResNetV2"],
    "xception": ["Xception"],
    "mobilenet": ["MobileNet"],
    "densenet": ["DenseNet121", "DenseNet169", "DenseNet201"],
    "nasnet": ["NASNetMobile", "NASNetLarge"],
}


class Asked(Exception):
    """Ends the run of an application where it would fetch its weights."""


def get_file(name, origin, file_hash=None, md5_hash=None, **_):
    raise Asked(origin, name, file_hash or md5_hash)


def main():
    known = {name: getattr(tf_keras.utils, name) for name in dir(tf_keras.utils)}
    utils = SimpleNamespace(**{**known, "get_file": get_file})
    submodules = {"backend": tf_keras.backend, "layers": tf_keras.layers, "models": tf_keras.models, "utils": utils}
    sizes = [((side, side, 3), alpha) for side in (128, 160, 192, 224) for alpha in (0.25, 0.5, 0.75, 1.0)]
    result = {}
    for module, names in MODULES.items():
        for name in names:
            variants = [{"input_shape": s, "alpha": a} for s, a in sizes] if name == "MobileNet" else [{}]
            for variant in variants:
                for include_top in (True, False):
                    tf_keras.backend.clear_session()
                    build = getattr(importlib.import_module(f"keras_applications.{module}"), name)
                    key = "/".join([name, *(f"{a['input_shape'][0]}/{a['alpha']}" for a in [variant] if a)])
                    try:
                        build(include_top=include_top, **variant, **submodules)
                    except Asked as asked:
                        result[f"{key}/{'top' if include_top else 'features'}"] = asked.args
    text = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in result.items())
    Path(__file__).with_name("released.json").write_text("{\n" + text + "\n}\n", encoding="utf-8")


main()

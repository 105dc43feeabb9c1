"""Golden values of folders of pictures, of flips and of drawn shifts, computed by tf-keras where it is installed.

python make_directory.py directory.npz

What is stored under a key of `FLOWS` are the x and y of one pass, in the order in which `flow_from_directory` gives
them, and the names of the files. `write_folder` is used by the tests too: they need no tf-keras.
"""

import os
import sys
import tempfile

import numpy as np
from PIL import Image

NAMES = ["a/1.png", "a/2.png", "a/10.png", "a/sub/0.png", "b/x.png", "b/y.BMP", "b/z.tif", "c/q.png", "linked/w.png"]
PICTURES = np.random.RandomState(0).randint(0, 256, (len(NAMES), 5, 7, 3)).astype("uint8")
INTERPOLATIONS = ["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]
SIZE = {"target_size": (4, 6)}
FLOWS = {  # what ImageDataGenerator and what flow_from_directory are given
    "plain": ({}, {"shuffle": False}),
    "links": ({}, {"shuffle": False, "follow_links": True}),
    "classes": ({}, {"shuffle": False, "classes": ["c", "a"]}),
    "binary": ({}, {"shuffle": False, "classes": ["b", "a"], "class_mode": "binary"}),
    "sparse": ({}, {"shuffle": False, "class_mode": "sparse"}),
    "input": ({}, {"shuffle": False, "class_mode": "input"}),
    "none": ({}, {"shuffle": False, "class_mode": None}),
    "training": ({"validation_split": 0.5}, {"shuffle": False, "subset": "training"}),
    "validation": ({"validation_split": 0.5}, {"shuffle": False, "subset": "validation", "follow_links": True}),
    "bilinear": ({}, {"shuffle": False, "interpolation": "bilinear"}),
    "grayscale": ({}, {"shuffle": False, "color_mode": "grayscale"}),
    "first": ({"data_format": "channels_first"}, {"shuffle": False, "interpolation": "bicubic"}),
    "shuffled": ({"horizontal_flip": True, "vertical_flip": True, "rescale": 0.5}, {"seed": 4, "batch_size": 3}),
}
SHIFTS = {
    "lists": {"width_shift_range": [1, 2.5, 4], "height_shift_range": [0.1, 0.4]},
    "whole": {"width_shift_range": 3, "height_shift_range": [1, 2]},
    "mixed": {"width_shift_range": 2.5, "height_shift_range": 0.25, "rotation_range": 10, "zoom_range": [0.5, 2]},
}
DRAWN = ["theta", "tx", "ty", "shear", "zx", "zy", "flip_horizontal", "flip_vertical"]
FLIPS = {"horizontal_flip": True, "vertical_flip": True, "channel_shift_range": 20}


def write_folder(folder):
    """The pictures in class folders a, b, c below `folder`/pictures; b has a link to a folder outside."""
    for name, picture in zip(NAMES, PICTURES):
        path = os.path.join(folder, name if name.startswith("linked") else os.path.join("pictures", name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Image.fromarray(picture).save(path)
    with open(os.path.join(folder, "pictures", "c", "note.txt"), "w") as file:
        file.write("no picture")
    os.symlink(os.path.join(os.path.abspath(folder), "linked"), os.path.join(folder, "pictures", "b", "link"))
    return os.path.join(folder, "pictures")


def one_pass(flow):
    """x of all batches, y of all batches (or nothing)."""
    batches = [next(flow) for _ in range(len(flow))]
    if not isinstance(batches[0], tuple):
        return [np.concatenate(batches)]
    return [np.concatenate(part) for part in zip(*batches)]


def main():
    from tf_keras.preprocessing import image

    golden = {}
    with tempfile.TemporaryDirectory() as folder:
        pictures = write_folder(folder)
        for i in INTERPOLATIONS:
            path = os.path.join(pictures, NAMES[0])
            golden[f"load_{i}"] = np.array(image.load_img(path, target_size=(9, 4), interpolation=i))
            golden[f"gray_{i}"] = np.array(image.load_img(path, True, target_size=(3, 12), interpolation=i))
        for name, (generator, arguments) in FLOWS.items():
            flow = image.ImageDataGenerator(**generator).flow_from_directory(pictures, **SIZE, **arguments)
            for key, part in zip("xy", one_pass(flow)):
                golden[f"{name}_{key}"] = part
            golden[f"{name}_files"] = np.array(flow.filenames)
    for name, arguments in SHIFTS.items():
        g = image.ImageDataGenerator(**arguments)
        drawn = [g.get_random_transform((6, 9, 3), seed=seed) for seed in range(8)]
        golden[f"shift_{name}"] = np.array([[p[key] for key in DRAWN] for p in drawn], dtype="float64")
    flow = image.ImageDataGenerator(**FLIPS).flow(PICTURES.astype("float32"), np.arange(len(NAMES)), 4, seed=11)
    for i in range(6):
        golden[f"flip_x{i}"], golden[f"flip_y{i}"] = next(flow)
    for subset in ("training", "validation"):
        flow = image.ImageDataGenerator(validation_split=0.3).flow(
            PICTURES.astype("float32"), np.arange(len(NAMES)) % 2, shuffle=False, subset=subset
        )
        golden[f"flow_{subset}"] = next(flow)[0]
    np.savez_compressed(sys.argv[1], **golden)


if __name__ == "__main__":
    main()

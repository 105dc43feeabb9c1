"""Golden values of kcore.preprocessing.image, computed by tf-keras: run it where tf_keras is installed.

python make_image.py image.npz
"""

import sys

import numpy as np
from tf_keras.preprocessing import image

# tf-keras takes what the manual calls height for the columns; given transposed images it does as the manual says.
images = np.random.RandomState(0).randint(0, 256, (7, 6, 6, 3)).astype("float32")
golden = {"images": images.transpose(0, 2, 1, 3)}
for mode in ("nearest", "constant", "reflect", "wrap"):
    g = image.ImageDataGenerator(fill_mode=mode, cval=9.0)
    parameters = {"theta": 33, "tx": 1.3, "ty": -2.2, "shear": 12, "zx": 1.4, "zy": 0.7, "flip_vertical": 1}
    golden[f"apply_{mode}"] = np.stack([g.apply_transform(x, parameters) for x in images])

moves = {
    "rotation_range": 40,
    "width_shift_range": 0.3,
    "height_shift_range": 2,
    "shear_range": np.rad2deg(0.2),
    "zoom_range": 0.3,
    "channel_shift_range": 30,
    "brightness_range": (0.5, 1.5),
}
flow = image.ImageDataGenerator(**moves).flow(images, np.arange(7), batch_size=3, seed=5)
for i in range(6):  # two passes
    golden[f"flow_x{i}"], golden[f"flow_y{i}"] = next(flow)
for name in ("samplewise_std_normalization", "featurewise_std_normalization"):
    g = image.ImageDataGenerator(**{name: True})
    g.fit(images / 255)
    golden[name] = np.stack([g.standardize(x / 255) for x in images])
np.random.seed(3)
a = (0, 1, 2)
golden["functions"] = np.stack(
    [
        image.random_rotation(images[0], 20, *a),
        image.random_shift(images[0], 0.2, 0.3, *a),
        image.random_shear(images[0], np.rad2deg(0.3), *a),
        image.random_zoom(images[0], (0.5, 1.5), *a),
        image.random_channel_shift(images[0], 20, 2),
        image.random_brightness(images[0], (0.5, 1.5)),
    ]
)
for name, value in golden.items():
    if name == "functions" or name.startswith(("apply", "flow_x")) or "std" in name:
        golden[name] = value.transpose(0, 2, 1, 3)
np.savez_compressed(sys.argv[1], **golden)

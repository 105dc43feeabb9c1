"""Makes golden.json: what the callbacks of tf_keras that watch one number do with scripted numbers.

pip install tf-keras tensorflow-cpu        # in a throw-away environment
python plugins/callbacks/tests/golden/make_golden.py
"""

import contextlib
import io
import json
import math
from pathlib import Path

import numpy as np

NAN = math.nan
SERIES = {
    "falls, then rises": [1, 0.9, 0.9, 0.95, 0.8, 0.81, 0.82, 0.83, 0.84],
    "constant": [1.0] * 5,
    "NaN": [1, NAN, 0.5, NAN, NAN, NAN],
    "creeps": [0.5, 0.51, 0.49, 0.5, 0.505, 0.48, 0.47, 0.47, 0.4699, 0.46],
    "random": np.random.RandomState(0).rand(25).round(3).tolist(),
    "falls": [1, 0.99, 0.98, 0.97, 0.96, 0.95],
}
STOPPING = [
    {},
    {"patience": 2},
    {"patience": 1, "min_delta": 0.02},
    {"patience": 3, "mode": "max"},
    {"patience": 2, "min_delta": -0.02},
    {"monitor": "val_acc", "patience": 2},
]
REDUCING = [
    {"patience": 2, "factor": 0.5},
    {"patience": 1, "factor": 0.5, "cooldown": 2},
    {"patience": 1, "factor": 0.3, "min_lr": 0.01},
    {"patience": 2, "factor": 0.5, "mode": "max"},
    {"patience": 1, "factor": 0.5, "min_delta": 0.05},
    {"patience": 0, "factor": 0.5, "cooldown": 1},
    {"monitor": "val_acc", "patience": 1, "factor": 0.5},
]


def drive(callback, model, backend, numbers):
    """The learning rates after the epochs until training is stopped."""
    callback.set_model(model)
    model.stop_training = False
    backend.set_value(model.optimizer.lr, 0.1)
    rates = []
    with contextlib.redirect_stdout(io.StringIO()):
        callback.on_train_begin({})
        for epoch, number in enumerate(numbers):
            callback.on_epoch_begin(epoch, {})
            callback.on_epoch_end(epoch, {callback.monitor: number})
            rates.append(float(backend.get_value(model.optimizer.lr)))
            if model.stop_training:
                break
        callback.on_train_end({})
    return rates


def main():
    import tf_keras

    model = tf_keras.Sequential([tf_keras.layers.Dense(1, input_shape=(1,))])
    model.compile(tf_keras.optimizers.legacy.SGD(0.1), "mse")
    runs = []
    for kind, cases in (("EarlyStopping", STOPPING), ("ReduceLROnPlateau", REDUCING)):
        for arguments in cases:
            for name, numbers in SERIES.items():
                callback = getattr(tf_keras.callbacks, kind)(**arguments)
                rates = drive(callback, model, tf_keras.backend, numbers)
                runs.append(
                    {
                        "callback": kind,
                        "arguments": arguments,
                        "series": name,
                        "rates": rates,
                        "stopped_epoch": getattr(callback, "stopped_epoch", None),
                    }
                )
    lines = ",\n".join(json.dumps(run) for run in runs)
    (Path(__file__).parent / "golden.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()

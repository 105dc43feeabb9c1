"""Make golden.npz: trainings of small models by tf-keras (Keras 2 API), for comparison.

    python make_golden.py        (in an environment with tf-keras and tensorflow-cpu)

Only cases where Keras 2.1 and later versions compute the same: no weights of 0, no masks.
"""

import os

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tf_keras as keras

HERE = os.path.dirname(os.path.abspath(__file__))
R = np.random.RandomState


def data():
    r = R(0)
    x = r.rand(11, 5).astype("float32")
    classes = r.randint(0, 3, 11)
    return {
        "x": x,
        "x2": r.rand(11, 3).astype("float32"),
        "y": np.eye(3, dtype="float32")[classes],
        "classes": classes.astype("int32"),
        "y_reg": r.rand(11, 2).astype("float32"),
        "weights": (r.rand(11) + 0.5).astype("float32"),
        "seq": r.rand(11, 4, 5).astype("float32"),
        "y_seq": r.rand(11, 4, 2).astype("float32"),
        "temporal": (r.rand(11, 4) + 0.5).astype("float32"),
        "W": r.randn(5, 3).astype("float32"),
        "b": r.randn(3).astype("float32"),
        "W2": r.randn(5, 2).astype("float32"),
        "b2": r.randn(2).astype("float32"),
        "W3": r.randn(3, 3).astype("float32"),
    }


def softmax_model(d, regularizer=None):
    model = keras.models.Sequential(
        [keras.layers.Dense(3, activation="softmax", input_shape=(5,), kernel_regularizer=regularizer)]
    )
    model.set_weights([d["W"], d["b"]])
    return model


def record(out, name, model, history, **more):
    for i, w in enumerate(model.get_weights()):
        out[f"{name}/weight_{i}"] = w
    renamed = {"accuracy": "acc", "val_accuracy": "val_acc"}
    for key, values in history.history.items():
        key = "/".join(renamed.get(part, part) for part in key.split("/"))
        out[f"{name}/history/{key}"] = np.array(values)
    for key, value in more.items():
        out[f"{name}/{key}"] = np.array(value)


def main():
    d = data()
    out = {f"data/{k}": v for k, v in d.items()}
    options = {"batch_size": 4, "epochs": 3, "shuffle": False, "verbose": 0}

    model = softmax_model(d)
    model.compile(keras.optimizers.SGD(0.5), "categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(d["x"], d["y"], validation_split=0.3, **options)
    record(out, "plain", model, history, evaluate=model.evaluate(d["x"], d["y"], batch_size=4, verbose=0))

    model = softmax_model(d)
    model.compile(keras.optimizers.SGD(0.5), "categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(d["x"], d["y"], sample_weight=d["weights"], **options)
    evaluated = model.evaluate(d["x"], d["y"], batch_size=4, verbose=0, sample_weight=d["weights"])
    record(out, "sample_weight", model, history, evaluate=evaluated)

    model = softmax_model(d)
    model.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
    history = model.fit(d["x"], d["classes"], class_weight={0: 0.5, 1: 2.0, 2: 3.0}, **options)
    record(out, "class_weight", model, history)

    model = softmax_model(d, keras.regularizers.l2(0.1))
    model.compile(keras.optimizers.SGD(0.5, momentum=0.9), "mse")
    history = model.fit(d["x"], d["y"], validation_data=(d["x"][:5], d["y"][:5]), **options)
    record(out, "regularized", model, history)

    a, b = keras.layers.Input((5,), name="a"), keras.layers.Input((3,), name="b")
    first = keras.layers.Dense(2, name="first")
    second = keras.layers.Dense(3, use_bias=False, activation="softmax", name="second")
    model = keras.models.Model([a, b], [first(a), second(b)])
    first.set_weights([d["W2"], d["b2"]])
    second.set_weights([d["W3"]])
    model.compile(
        keras.optimizers.SGD(0.5),
        {"first": "mae", "second": "categorical_crossentropy"},
        loss_weights={"first": 0.3, "second": 2.0},
    )
    history = model.fit({"a": d["x"], "b": d["x2"]}, {"first": d["y_reg"], "second": d["y"]}, **options)
    record(out, "two_outputs", model, history)

    model = keras.models.Sequential([keras.layers.Dense(2, input_shape=(4, 5))])
    model.set_weights([d["W2"], d["b2"]])
    model.compile(keras.optimizers.SGD(0.1), "mse", sample_weight_mode="temporal")
    history = model.fit(d["seq"], d["y_seq"], sample_weight=d["temporal"], **options)
    record(out, "temporal", model, history)

    np.savez_compressed(os.path.join(HERE, "golden.npz"), **out)
    print(sorted(k for k in out if not k.startswith("data/")))


if __name__ == "__main__":
    main()

"""What the callback writes, read with the package `tensorboard`."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kcore import backend as K
from kcore.callbacks import Callback
from kcore.engine import Input, Layer
from kcore.models import Model, Sequential
from kcore_tensorboard import TensorBoard


class Affine(Layer):
    """`x w + b`, or rows of a table: the plugin's tests need no layer of another plugin."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], self.units), initializer="glorot_uniform")
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")
        super().build(input_shape)

    def call(self, x):
        return K.dot(x, self.kernel) + self.bias

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)


class Embedding(Layer):
    def build(self, input_shape):
        self.table = self.add_weight(name="embeddings", shape=(7, 3), initializer="uniform")
        super().build(input_shape)

    def call(self, x):
        return K.sum(K.gather(self.table, K.cast(x, "int32")), axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 3)


def squared(y_true, y_pred):
    return K.mean(K.square(y_true - y_pred), axis=-1)


@pytest.fixture(autouse=True)
def seed():
    np.random.seed(3)


@pytest.fixture
def optimizer():
    from kcore.engine import Optimizer

    class Descent(Optimizer):
        def get_updates(self, loss, params):
            pairs = zip(params, self.get_gradients(loss, params), strict=True)
            return [K.update_sub(weight, 0.1 * gradient) for weight, gradient in pairs]

    return Descent()


@pytest.fixture
def model(optimizer):
    model = Sequential([Affine(4, input_shape=(5,), name="first"), Affine(2, name="last")])
    model.compile(optimizer, squared, metrics=[squared])
    return model


X, Y = np.random.RandomState(0).rand(20, 5).astype("float32"), np.random.RandomState(1).rand(20, 2).astype("float32")


def read(folder):
    events = EventAccumulator(str(folder), size_guidance=dict.fromkeys(("scalars", "images", "histograms"), 0))
    return events.Reload()


def test_scalars(model, tmp_path):
    class Adds(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs.update(lr=np.float32(0.5), text="none", several=[1, 2], one=np.array([7]))

    history = model.fit(
        X, Y, epochs=3, validation_split=0.25, verbose=0, callbacks=[Adds(), TensorBoard(tmp_path / "new" / "logs")]
    )
    events = read(tmp_path / "new" / "logs")
    assert sorted(events.Tags()["scalars"]) == ["loss", "lr", "one", "squared", "val_loss", "val_squared"]
    for name in ("loss", "squared", "val_loss", "val_squared"):
        written = events.Scalars(name)
        assert [event.step for event in written] == [0, 1, 2]
        assert [event.value for event in written] == pytest.approx(history.history[name])
    assert [event.value for event in events.Scalars("lr")] == [0.5] * 3
    assert events.Tags()["histograms"] == events.Tags()["images"] == []


def test_trainings_go_on_in_files_of_their_own(model, tmp_path):
    for first in (0, 2):
        model.fit(X, Y, initial_epoch=first, epochs=first + 2, verbose=0, callbacks=[TensorBoard(tmp_path)])
    callback = TensorBoard(tmp_path)
    for first in (4, 5):
        model.fit(X, Y, initial_epoch=first, epochs=first + 1, verbose=0, callbacks=[callback])
    assert len(list(tmp_path.glob("events.out.tfevents.*"))) == 4
    steps = sorted(event.step for file in tmp_path.iterdir() for event in read(file).Scalars("loss"))
    assert steps == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(("freq", "steps"), [("batch", [5, 10, 15, 20, 20]), (10, [10, 20, 20]), (8, [10, 20, 20])])
def test_scalars_of_batches(model, tmp_path, freq, steps):
    model.fit(X, Y, batch_size=5, verbose=0, callbacks=[TensorBoard(tmp_path, update_freq=freq)])
    assert [event.step for event in read(tmp_path).Scalars("loss")] == steps


def test_no_hook_for_batches_unless_asked():
    assert "on_batch_end" not in vars(TensorBoard())
    with pytest.raises(ValueError, match="'epoch', 'batch' or a number of samples, got 'never'"):
        TensorBoard(update_freq="never")


def test_the_log_is_complete_after_each_epoch(model, tmp_path):
    class Looks(Callback):
        def on_epoch_end(self, epoch, logs=None):
            assert len(read(tmp_path).Scalars("loss")) == epoch + 1

    model.fit(X, Y, epochs=3, verbose=0, callbacks=[TensorBoard(tmp_path), Looks()])


def test_histograms_of_weights_outputs_and_gradients(model, tmp_path):
    model.fit(
        X,
        Y,
        epochs=4,
        validation_data=(X[:9], Y[:9]),
        verbose=0,
        callbacks=[TensorBoard(tmp_path, histogram_freq=3, batch_size=4, write_grads=True)],
    )
    events = read(tmp_path)
    weights = ["first/kernel_0", "first/bias_0", "last/kernel_0", "last/bias_0"]
    outputs = ["first_input_out"] if "first_input_out" in events.Tags()["histograms"] else []
    expected = [*weights, *outputs, "first_out", "last_out", *(f"{name}_grad" for name in weights)]
    assert sorted(events.Tags()["histograms"]) == sorted(expected)
    for tag in expected:
        assert [event.step for event in events.Histograms(tag)] == [0, 3]

    def check(tag, values):
        got = events.Histograms(tag)[-1].histogram_value
        assert got.num == values.size == sum(got.bucket)
        summary = [got.min, got.max, got.sum, got.sum_squares]
        assert summary == pytest.approx(
            [values.min(), values.max(), values.sum(), (values**2).sum()], rel=1e-4, abs=1e-5
        )
        edges = [-np.inf, *got.bucket_limit]
        for low, high, count in zip(edges, edges[1:], got.bucket):
            assert count == ((low < values) & (values <= high)).sum()

    for tag, value in zip(weights, model.get_weights()):
        check(tag, value)
    prediction = model.predict(X[:9])
    check("last_out", prediction)
    # The gradient of the mean square by the last bias, for batches of 4, 4 and 1 samples.
    batches = [slice(0, 4), slice(4, 8), slice(8, 9)]
    check("last/bias_0_grad", np.array([(prediction[b] - Y[:9][b]).mean(axis=0) for b in batches]))


def test_values_that_are_not_finite_are_left_out(model, tmp_path):
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    callback = TensorBoard(tmp_path, histogram_freq=1, write_images=True)
    model.fit(X, Y, validation_split=0.5, verbose=0, callbacks=[callback])
    assert not [tag for tag in read(tmp_path).Tags()["histograms"] if "input" not in tag]


def test_histograms_need_arrays_to_validate_on(model, tmp_path):
    for arguments in ({}, {"validation_data": iter([(X, Y)]), "validation_steps": 1}):
        with pytest.raises(ValueError, match="pass validation_data=\\(x, y\\) or validation_split to fit, not a gen"):
            batches = iter([(X, Y)] * 3)
            model.fit_generator(
                batches, 1, verbose=0, callbacks=[TensorBoard(tmp_path, histogram_freq=1)], workers=0, **arguments
            )
    assert not list(tmp_path.iterdir())


def test_the_graph(model, tmp_path):
    model.fit(X, Y, verbose=0, callbacks=[TensorBoard(tmp_path)])
    nodes = {node.name: node for node in read(tmp_path).Graph().node}
    assert {name.partition("/")[0] for name in nodes} >= {"first", "last", "loss"}
    for node in nodes.values():
        assert {name.partition(":")[0] for name in node.input} <= set(nodes)
    assert nodes["first/kernel"].op == "VariableV2"
    (shape,) = nodes["first/kernel"].attr["_output_shapes"].list.shape
    assert [dim.size for dim in shape.dim] == [5, 4]
    product = next(node for node in nodes.values() if "last/kernel" in node.input)
    assert product.name.startswith("last/") and any(name.startswith("first/") for name in product.input)
    (shape,) = product.attr["_output_shapes"].list.shape
    assert [dim.size for dim in shape.dim] == [-1, 2]


def test_no_graph_on_demand(model, tmp_path):
    model.fit(X, Y, verbose=0, callbacks=[TensorBoard(tmp_path, write_graph=False)])
    assert not read(tmp_path).Tags()["graph"]


def test_shared_layers_and_models_inside(optimizer, tmp_path):
    a, b, elsewhere = Input((5,)), Input((5,)), Input((5,))
    shared = Affine(3, name="shared")
    shared(elsewhere)  # a call that is no part of the model
    inside = Sequential([Affine(2, input_shape=(3,), name="deep")], name="inside")
    add = Affine(1, name="add")
    model = Model([a, b], [add(inside(shared(a))), inside(shared(b))])
    model.compile(optimizer, squared)
    data = [X, X[::-1]], [Y[:, :1], Y]
    model.fit(
        *data, validation_split=0.5, verbose=0, callbacks=[TensorBoard(tmp_path, histogram_freq=1, write_grads=True)]
    )
    events = read(tmp_path)
    tags = set(events.Tags()["histograms"])
    assert {"shared_out", "shared_out_1", "inside_out", "inside_out_1", "deep/kernel_0_grad"} <= tags
    assert "shared_out_2" not in tags
    assert {n.name.partition("/")[0] for n in events.Graph().node} >= {"shared", "inside", "add", "loss"}


def test_pictures_of_weights(model, tmp_path):
    model.fit(
        X, Y, validation_split=0.5, verbose=0, callbacks=[TensorBoard(tmp_path, histogram_freq=1, write_images=True)]
    )
    (event,) = read(tmp_path).Images("first/kernel_0/image")
    picture = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
    kernel = model.get_weights()[0]
    np.testing.assert_allclose(picture, (kernel - kernel.min()) / (kernel.max() - kernel.min()) * 255, atol=0.51)
    assert (event.width, event.height) == (4, 5)


class TestEmbeddings:
    @pytest.fixture
    def model(self, optimizer):
        model = Sequential([Embedding(input_shape=(6,), name="words"), Affine(2, name="last")])
        model.compile(optimizer, squared)
        return model

    words = np.random.RandomState(2).randint(7, size=(20, 6))

    def config(self, folder):
        """The projector's list, as TensorBoard's own plugin reads it."""
        from google.protobuf import text_format
        from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

        return text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig()).embeddings

    def table(self, folder, entry):
        return np.fromfile(folder / entry.tensor_path, "float32").reshape(entry.tensor_shape)

    def test_weights_of_embedding_layers(self, model, tmp_path):
        callback = TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata='la"bels.tsv')
        model.fit(self.words, Y, epochs=2, verbose=0, callbacks=[callback])
        (entry,) = self.config(tmp_path)
        assert (entry.tensor_name, entry.metadata_path) == ("words", 'la"bels.tsv')
        np.testing.assert_array_equal(self.table(tmp_path, entry), model.get_weights()[0])

    def test_every_nth_epoch(self, model, tmp_path):
        seen = []

        class Keeps(Callback):
            def on_epoch_end(self, epoch, logs=None):
                seen.append(model.get_weights()[0])

        model.fit(self.words, Y, epochs=4, verbose=0, callbacks=[TensorBoard(tmp_path, embeddings_freq=2), Keeps()])
        np.testing.assert_array_equal(self.table(tmp_path, self.config(tmp_path)[0]), seen[2])

    def test_named_layers_and_files(self, model, tmp_path):
        callback = TensorBoard(
            tmp_path, embeddings_freq=1, embeddings_layer_names=["words", "last"], embeddings_metadata={"last": "l.tsv"}
        )
        model.fit(self.words, Y, verbose=0, callbacks=[callback])
        words, last = self.config(tmp_path)
        assert [words.metadata_path, last.metadata_path] == ["", "l.tsv"]
        np.testing.assert_array_equal(self.table(tmp_path, last), model.get_weights()[1])

    def test_outputs_for_data(self, model, tmp_path):
        callback = TensorBoard(
            tmp_path, embeddings_freq=1, embeddings_layer_names=["last"], embeddings_data=self.words[:4]
        )
        model.fit(self.words, Y, verbose=0, callbacks=[callback])
        (entry,) = self.config(tmp_path)
        np.testing.assert_allclose(self.table(tmp_path, entry), model.predict(self.words[:4]), rtol=1e-6)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"embeddings_layer_names": ["wrods"]}, "no layer 'wrods'; the layers are words, last"),
            ({"embeddings_metadata": {"last": "l"}}, r"embeddings_metadata=...\): no layer 'last'; the layers are wor"),
        ],
    )
    def test_unknown_names(self, model, tmp_path, arguments, message):
        with pytest.raises(ValueError, match=message):
            model.fit(self.words, Y, verbose=0, callbacks=[TensorBoard(tmp_path, embeddings_freq=1, **arguments)])

    def test_nothing_to_show(self, optimizer, tmp_path):
        model = Sequential([Affine(2, input_shape=(5,))])
        model.compile(optimizer, squared)
        with pytest.raises(ValueError, match="the model has no Embedding layer; name the layers"):
            model.fit(X, Y, verbose=0, callbacks=[TensorBoard(tmp_path, embeddings_freq=1)])


def test_an_error_leaves_callback_and_model_usable(model, tmp_path):
    class Fails(Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise OSError("no space left")

    callback = TensorBoard(tmp_path)
    with pytest.raises(OSError, match="no space"):
        model.fit(X, Y, verbose=0, callbacks=[callback, Fails()])
    model.fit(X, Y, verbose=0, callbacks=[callback])
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_made(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        model.fit(X, Y, verbose=0, callbacks=[TensorBoard(tmp_path / "file" / "logs")])


def test_no_tensorflow_and_nothing_of_its_viewer():
    code = (
        "import sys, json; import kcore_tensorboard; "
        "print(json.dumps(sorted({m.partition('.')[0] for m in sys.modules} & {'tensorflow', 'tensorboard', 'grpc'})))"
    )
    assert json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) == []

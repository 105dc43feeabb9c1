"""The examples of the manual's guides (sections 3.1 and 3.2), with `keras` as they are written; sizes are smaller.

The code of each test is that of the manual; what follows it checks what the text around it promises.
"""
# ruff: noqa: I001, F401

from __future__ import annotations

import numpy as np
import pytest


def test_30_seconds():
    """Section 1.3."""
    from keras.models import Sequential
    from keras.layers import Dense
    from keras.utils import to_categorical
    import keras

    x_train, y_train = np.random.random((100, 100)), to_categorical(np.random.randint(10, size=100), 10)
    x_test = x_batch = x_train[:32]
    y_test = y_batch = y_train[:32]

    model = Sequential()
    model.add(Dense(units=64, activation="relu", input_dim=100))
    model.add(Dense(units=10, activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="sgd", metrics=["accuracy"])
    model.compile(
        loss=keras.losses.categorical_crossentropy, optimizer=keras.optimizers.SGD(lr=0.01, momentum=0.9, nesterov=True)
    )
    model.fit(x_train, y_train, epochs=5, batch_size=32)
    model.train_on_batch(x_batch, y_batch)
    loss_and_metrics = model.evaluate(x_test, y_test, batch_size=128)
    classes = model.predict(x_test, batch_size=128)
    assert np.isfinite(loss_and_metrics) and classes.shape == (32, 10)


def test_sequential():
    """Sections 3.1.1 to 3.1.4."""
    import keras
    import keras.backend as K
    from keras.models import Sequential
    from keras.layers import Dense, Activation

    model = Sequential([Dense(32, input_shape=(784,)), Activation("relu"), Dense(10), Activation("softmax")])
    assert model.output_shape == (None, 10)
    by_shape, by_dim = Sequential(), Sequential()
    by_shape.add(Dense(32, input_shape=(784,)))
    by_dim.add(Dense(32, input_dim=784))
    assert by_shape.input_shape == by_dim.input_shape == (None, 784)

    def mean_pred(y_true, y_pred):
        return K.mean(y_pred)

    model = Sequential()
    model.add(Dense(32, activation="relu", input_dim=100))
    model.add(Dense(1, activation="sigmoid"))
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy", mean_pred])
    data = np.random.random((1000, 100))
    labels = np.random.randint(2, size=(1000, 1))
    history = model.fit(data, labels, epochs=10, batch_size=32)
    assert sorted(history.history) == ["acc", "loss", "mean_pred"]
    assert history.history["loss"][-1] < history.history["loss"][0]
    expected = model.predict(data).mean()
    assert abs(model.evaluate(data, labels)[2] - expected) < 1e-5

    model = Sequential()
    model.add(Dense(32, activation="relu", input_dim=100))
    model.add(Dense(10, activation="softmax"))
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    labels = np.random.randint(10, size=(1000, 1))
    one_hot_labels = keras.utils.to_categorical(labels, num_classes=10)
    history = model.fit(data, one_hot_labels, epochs=10, batch_size=32)
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_mlp_for_softmax_classification():
    """Section 3.1.5.1, in the manual's sizes."""
    import keras
    from keras.models import Sequential
    from keras.layers import Dense, Dropout, Activation
    from keras.optimizers import SGD

    x_train = np.random.random((1000, 20))
    y_train = keras.utils.to_categorical(np.random.randint(10, size=(1000, 1)), num_classes=10)
    x_test = np.random.random((100, 20))
    y_test = keras.utils.to_categorical(np.random.randint(10, size=(100, 1)), num_classes=10)

    model = Sequential()
    model.add(Dense(64, activation="relu", input_dim=20))
    model.add(Dropout(0.5))
    model.add(Dense(64, activation="relu"))
    model.add(Dropout(0.5))
    model.add(Dense(10, activation="softmax"))
    sgd = SGD(lr=0.01, decay=1e-6, momentum=0.9, nesterov=True)
    model.compile(loss="categorical_crossentropy", optimizer=sgd, metrics=["accuracy"])
    history = model.fit(x_train, y_train, epochs=20, batch_size=128)
    score = model.evaluate(x_test, y_test, batch_size=128)
    assert len(history.epoch) == 20 and history.history["loss"][-1] < history.history["loss"][0]
    assert len(score) == 2 and 2 < score[0] < 2.6  # the labels are random: ln(10) is the best there is


def test_mlp_for_binary_classification():
    """Section 3.1.5.2, in the manual's sizes."""
    from keras.models import Sequential
    from keras.layers import Dense, Dropout

    x_train = np.random.random((1000, 20))
    y_train = np.random.randint(2, size=(1000, 1))
    x_test = np.random.random((100, 20))
    y_test = np.random.randint(2, size=(100, 1))

    model = Sequential()
    model.add(Dense(64, input_dim=20, activation="relu"))
    model.add(Dropout(0.5))
    model.add(Dense(64, activation="relu"))
    model.add(Dropout(0.5))
    model.add(Dense(1, activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
    history = model.fit(x_train, y_train, epochs=20, batch_size=128)
    score = model.evaluate(x_test, y_test, batch_size=128)
    assert history.history["loss"][-1] < history.history["loss"][0] and 0.5 < score[0] < 0.9


def test_vgg_like_convnet():
    """Section 3.1.5.3."""
    import keras
    from keras.models import Sequential
    from keras.layers import Dense, Dropout, Flatten
    from keras.layers import Conv2D, MaxPooling2D
    from keras.optimizers import SGD

    x_train = np.random.random((16, 20, 20, 3))
    y_train = keras.utils.to_categorical(np.random.randint(10, size=(16, 1)), num_classes=10)

    model = Sequential()
    model.add(Conv2D(8, (3, 3), activation="relu", input_shape=(20, 20, 3)))
    model.add(Conv2D(8, (3, 3), activation="relu"))
    model.add(MaxPooling2D(pool_size=(2, 2)))
    model.add(Dropout(0.25))
    model.add(Conv2D(16, (3, 3), activation="relu"))
    model.add(Conv2D(16, (3, 3), activation="relu"))
    model.add(MaxPooling2D(pool_size=(2, 2)))
    model.add(Dropout(0.25))
    model.add(Flatten())
    model.add(Dense(32, activation="relu"))
    model.add(Dropout(0.5))
    model.add(Dense(10, activation="softmax"))
    assert [layer.output_shape for layer in model.layers[:9:2]] == [
        (None, 18, 18, 8), (None, 8, 8, 8), (None, 6, 6, 16), (None, 2, 2, 16), (None, 64),
    ]  # fmt: skip
    sgd = SGD(lr=0.01, decay=1e-6, momentum=0.9, nesterov=True)
    model.compile(loss="categorical_crossentropy", optimizer=sgd)
    model.fit(x_train, y_train, batch_size=8, epochs=2)
    assert np.isfinite(model.evaluate(x_train, y_train, batch_size=8))


def test_sequence_classification_with_lstm():
    """Section 3.1.5.4."""
    from keras.models import Sequential
    from keras.layers import Dense, Dropout
    from keras.layers import Embedding
    from keras.layers import LSTM

    max_features = 20
    x_train = np.random.randint(max_features, size=(64, 7))
    y_train = (x_train[:, -1:] > 9).astype(int)

    model = Sequential()
    model.add(Embedding(max_features, output_dim=16))
    model.add(LSTM(12))
    model.add(Dropout(0.5))
    model.add(Dense(1, activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
    history = model.fit(x_train, y_train, batch_size=16, epochs=10)
    score = model.evaluate(x_train, y_train, batch_size=16)
    assert score[0] < history.history["loss"][0] and model.predict(x_train[:3, :4]).shape == (3, 1)


def test_sequence_classification_with_conv1d():
    """Section 3.1.5.5."""
    from keras.models import Sequential
    from keras.layers import Dense, Dropout
    from keras.layers import Embedding
    from keras.layers import Conv1D, GlobalAveragePooling1D, MaxPooling1D

    seq_length = 30
    x_train, y_train = np.random.random((32, seq_length, 10)), np.random.randint(2, size=(32, 1))

    model = Sequential()
    model.add(Conv1D(8, 3, activation="relu", input_shape=(seq_length, 10)))
    model.add(Conv1D(8, 3, activation="relu"))
    model.add(MaxPooling1D(3))
    model.add(Conv1D(16, 3, activation="relu"))
    model.add(Conv1D(16, 3, activation="relu"))
    model.add(GlobalAveragePooling1D())
    model.add(Dropout(0.5))
    model.add(Dense(1, activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=16, epochs=2)
    score = model.evaluate(x_train, y_train, batch_size=16)
    assert np.isfinite(score).all() and model.layers[4].output_shape == (None, 4, 16)


@pytest.mark.parametrize("stateful", [False, True])
def test_stacked_lstm(stateful):
    """Sections 3.1.5.6 and 3.1.5.7."""
    from keras.models import Sequential
    from keras.layers import LSTM, Dense

    data_dim = 16
    timesteps = 8
    num_classes = 10
    batch_size = 32
    shape = (
        {"batch_input_shape": (batch_size, timesteps, data_dim)} if stateful else {"input_shape": (timesteps, data_dim)}
    )

    model = Sequential()
    model.add(LSTM(32, return_sequences=True, stateful=stateful, **shape))
    model.add(LSTM(32, return_sequences=True, stateful=stateful))
    model.add(LSTM(32, stateful=stateful))
    model.add(Dense(10, activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
    x_train = np.random.random((batch_size * 10, timesteps, data_dim))
    y_train = np.random.random((batch_size * 10, num_classes))
    x_val = np.random.random((batch_size * 3, timesteps, data_dim))
    y_val = np.random.random((batch_size * 3, num_classes))
    history = model.fit(
        x_train, y_train, batch_size=batch_size, epochs=3, shuffle=not stateful, validation_data=(x_val, y_val)
    )
    assert history.history["val_loss"][-1] < history.history["val_loss"][0]
    again = [model.predict(x_val[:32], batch_size=32) for _ in range(2)]
    assert np.allclose(*again) is not stateful
    if stateful:
        model.reset_states()
        first = model.predict(x_val[:32], batch_size=32)
        model.reset_states()
        np.testing.assert_array_equal(model.predict(x_val[:32], batch_size=32), first)


def test_functional_api():
    """Sections 3.2.2 and 3.2.3: a dense network, and a model called like a layer."""
    from keras.layers import Input, Dense
    from keras.layers import TimeDistributed
    from keras.models import Model

    inputs = Input(shape=(784,))
    x = Dense(64, activation="relu")(inputs)
    x = Dense(64, activation="relu")(x)
    predictions = Dense(10, activation="softmax")(x)
    model = Model(inputs=inputs, outputs=predictions)
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    data, labels = np.random.random((64, 784)).astype("float32"), np.eye(10)[np.random.randint(10, size=64)]
    model.fit(data, labels)

    x = Input(shape=(784,))
    y = model(x)
    np.testing.assert_array_equal(Model(x, y).predict(data), model.predict(data))

    input_sequences = Input(shape=(20, 784))
    processed_sequences = TimeDistributed(model)(input_sequences)
    assert processed_sequences._keras_shape == (None, 20, 10)
    video = np.stack([data[:20], data[20:40]])
    found = Model(input_sequences, processed_sequences).predict(video)
    np.testing.assert_allclose(found[1], model.predict(video[1]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("by_name", [False, True])
def test_multi_input_and_multi_output(by_name):
    """Section 3.2.4."""
    import keras
    from keras.layers import Input, Embedding, LSTM, Dense
    from keras.models import Model

    headline_data = np.random.randint(100, size=(64, 10))
    additional_data = np.random.random((64, 5))
    labels = np.random.randint(2, size=(64, 1))

    main_input = Input(shape=(10,), dtype="int32", name="main_input")
    x = Embedding(output_dim=16, input_dim=100, input_length=10)(main_input)
    lstm_out = LSTM(8)(x)
    auxiliary_output = Dense(1, activation="sigmoid", name="aux_output")(lstm_out)
    auxiliary_input = Input(shape=(5,), name="aux_input")
    x = keras.layers.concatenate([lstm_out, auxiliary_input])
    x = Dense(64, activation="relu")(x)
    x = Dense(64, activation="relu")(x)
    x = Dense(64, activation="relu")(x)
    main_output = Dense(1, activation="sigmoid", name="main_output")(x)
    model = Model(inputs=[main_input, auxiliary_input], outputs=[main_output, auxiliary_output])
    if by_name:
        model.compile(
            optimizer="rmsprop",
            loss={"main_output": "binary_crossentropy", "aux_output": "binary_crossentropy"},
            loss_weights={"main_output": 1.0, "aux_output": 0.2},
        )
        history = model.fit(
            {"main_input": headline_data, "aux_input": additional_data},
            {"main_output": labels, "aux_output": labels},
            epochs=5,
            batch_size=32,
        )
    else:
        model.compile(optimizer="rmsprop", loss="binary_crossentropy", loss_weights=[1.0, 0.2])
        history = model.fit([headline_data, additional_data], [labels, labels], epochs=5, batch_size=32)
    losses = {name: values[-1] for name, values in history.history.items()}
    assert sorted(losses) == ["aux_output_loss", "loss", "main_output_loss"]
    assert abs(losses["loss"] - losses["main_output_loss"] - 0.2 * losses["aux_output_loss"]) < 1e-4
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_multi_input_and_multi_output_of_dense_layers():
    """Section 3.2.4 with dense layers only."""
    import keras
    from keras.layers import Input, Dense
    from keras.models import Model

    a, b = Input(shape=(6,), name="main_input"), Input(shape=(5,), name="aux_input")
    encoded = Dense(8, activation="tanh")(a)
    auxiliary_output = Dense(1, activation="sigmoid", name="aux_output")(encoded)
    main_output = Dense(1, activation="sigmoid", name="main_output")(keras.layers.concatenate([encoded, b]))
    model = Model(inputs=[a, b], outputs=[main_output, auxiliary_output])
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", loss_weights=[1.0, 0.2])
    data = [np.random.random((64, 6)), np.random.random((64, 5))]
    labels = (data[0].sum(axis=1, keepdims=True) > 3).astype(int)
    history = model.fit(data, [labels, labels], epochs=20, batch_size=16)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert model.metrics_names == ["loss", "main_output_loss", "aux_output_loss"]


@pytest.mark.parametrize("kind", ["LSTM", "Dense"])
def test_shared_layers(kind):
    """Section 3.2.5."""
    import keras
    from keras.layers import Input, LSTM, Dense
    from keras.models import Model

    shape = (14, 16) if kind == "LSTM" else (16,)
    data_a, data_b = np.random.random((32, *shape)), np.random.random((32, *shape))
    labels = np.random.randint(2, size=(32, 1))

    tweet_a = Input(shape=shape)
    tweet_b = Input(shape=shape)
    shared = LSTM(8) if kind == "LSTM" else Dense(8)
    encoded_a = shared(tweet_a)
    encoded_b = shared(tweet_b)
    merged_vector = keras.layers.concatenate([encoded_a, encoded_b], axis=-1)
    predictions = Dense(1, activation="sigmoid")(merged_vector)
    model = Model(inputs=[tweet_a, tweet_b], outputs=predictions)
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
    before = shared.get_weights()
    model.fit([data_a, data_b], labels, epochs=10)
    assert len(model.trainable_weights) == len(before) + 2
    assert all((old != new).any() for old, new in zip(before, shared.get_weights()))
    codes = [Model(x, y).predict(data_a) for x, y in ((tweet_a, encoded_a), (tweet_b, encoded_b))]
    np.testing.assert_array_equal(*codes)


def test_layer_nodes():
    """Section 3.2.6."""
    from keras.layers import Input, LSTM, Conv2D, Dense

    a = Input(shape=(140, 256))
    lstm = LSTM(32)
    encoded_a = lstm(a)
    assert lstm.output == encoded_a

    a = Input(shape=(140, 256))
    b = Input(shape=(140, 256))
    for layer in (LSTM(32), Dense(32)):
        encoded_a = layer(a)
        encoded_b = layer(b)
        with pytest.raises(AttributeError, match="multiple inbound nodes"):
            _ = layer.output
        assert layer.get_output_at(0) == encoded_a
        assert layer.get_output_at(1) == encoded_b

    a = Input(shape=(32, 32, 3))
    b = Input(shape=(64, 64, 3))
    conv = Conv2D(16, (3, 3), padding="same")
    conved_a = conv(a)
    assert conv.input_shape == (None, 32, 32, 3)
    conved_b = conv(b)
    with pytest.raises(AttributeError):
        _ = conv.input_shape
    assert conv.get_input_shape_at(0) == (None, 32, 32, 3)
    assert conv.get_input_shape_at(1) == (None, 64, 64, 3)
    assert conv.get_output_at(0) == conved_a and conv.get_output_at(1) == conved_b


def test_inception_module():
    """Section 3.2.7.1."""
    import keras
    from keras.layers import Conv2D, MaxPooling2D, Input
    from keras.models import Model

    input_img = Input(shape=(16, 16, 3))
    tower_1 = Conv2D(4, (1, 1), padding="same", activation="relu")(input_img)
    tower_1 = Conv2D(4, (3, 3), padding="same", activation="relu")(tower_1)
    tower_2 = Conv2D(4, (1, 1), padding="same", activation="relu")(input_img)
    tower_2 = Conv2D(4, (5, 5), padding="same", activation="relu")(tower_2)
    tower_3 = MaxPooling2D((3, 3), strides=(1, 1), padding="same")(input_img)
    tower_3 = Conv2D(4, (1, 1), padding="same", activation="relu")(tower_3)
    output = keras.layers.concatenate([tower_1, tower_2, tower_3], axis=1)
    assert Model(input_img, output).predict(np.random.random((2, 16, 16, 3))).shape == (2, 48, 16, 4)


def test_residual_connection():
    """Section 3.2.7.2."""
    import keras
    from keras.layers import Conv2D, Input
    from keras.models import Model

    x = Input(shape=(16, 16, 3))
    y = Conv2D(3, (3, 3), padding="same")(x)
    z = keras.layers.add([x, y])
    images = np.random.random((2, 16, 16, 3)).astype("float32")
    convolved, summed = Model(x, [y, z]).predict(images)
    np.testing.assert_allclose(summed, images + convolved, rtol=1e-6)


def test_shared_vision_model():
    """Section 3.2.7.3."""
    import keras
    from keras.layers import Conv2D, MaxPooling2D, Input, Dense, Flatten
    from keras.models import Model

    digit_input = Input(shape=(12, 12, 1))
    x = Conv2D(8, (3, 3))(digit_input)
    x = Conv2D(8, (3, 3))(x)
    x = MaxPooling2D((2, 2))(x)
    out = Flatten()(x)
    vision_model = Model(digit_input, out)
    digit_a = Input(shape=(12, 12, 1))
    digit_b = Input(shape=(12, 12, 1))
    out_a = vision_model(digit_a)
    out_b = vision_model(digit_b)
    concatenated = keras.layers.concatenate([out_a, out_b])
    out = Dense(1, activation="sigmoid")(concatenated)
    classification_model = Model([digit_a, digit_b], out)

    assert len(classification_model.trainable_weights) == 6
    classification_model.compile("sgd", "binary_crossentropy")
    data = [np.random.random((8, 12, 12, 1)) for _ in range(2)]
    classification_model.fit(data, np.random.randint(2, size=(8, 1)), epochs=2)
    assert classification_model.predict(data).shape == (8, 1)


def test_visual_and_video_question_answering():
    """Sections 3.2.7.4 and 3.2.7.5."""
    import keras
    from keras.layers import Conv2D, MaxPooling2D, Flatten
    from keras.layers import Input, LSTM, Embedding, Dense
    from keras.layers import TimeDistributed
    from keras.models import Model, Sequential

    vision_model = Sequential()
    vision_model.add(Conv2D(4, (3, 3), activation="relu", padding="same", input_shape=(40, 40, 3)))
    vision_model.add(Conv2D(4, (3, 3), activation="relu"))
    vision_model.add(MaxPooling2D((2, 2)))
    vision_model.add(Conv2D(4, (3, 3), activation="relu", padding="same"))
    vision_model.add(Conv2D(4, (3, 3), activation="relu"))
    vision_model.add(MaxPooling2D((2, 2)))
    vision_model.add(Conv2D(8, (3, 3), activation="relu", padding="same"))
    vision_model.add(Conv2D(8, (3, 3), activation="relu"))
    vision_model.add(Conv2D(8, (3, 3), activation="relu"))
    vision_model.add(MaxPooling2D((2, 2)))
    vision_model.add(Flatten())
    image_input = Input(shape=(40, 40, 3))
    encoded_image = vision_model(image_input)
    question_input = Input(shape=(10,), dtype="int32")
    embedded_question = Embedding(input_dim=100, output_dim=16, input_length=10)(question_input)
    encoded_question = LSTM(16)(embedded_question)
    merged = keras.layers.concatenate([encoded_question, encoded_image])
    output = Dense(30, activation="softmax")(merged)
    vqa_model = Model(inputs=[image_input, question_input], outputs=output)

    video_input = Input(shape=(5, 40, 40, 3))
    encoded_frame_sequence = TimeDistributed(vision_model)(video_input)
    encoded_video = LSTM(16)(encoded_frame_sequence)
    question_encoder = Model(inputs=question_input, outputs=encoded_question)
    video_question_input = Input(shape=(10,), dtype="int32")
    encoded_video_question = question_encoder(video_question_input)
    merged = keras.layers.concatenate([encoded_video, encoded_video_question])
    output = Dense(30, activation="softmax")(merged)
    video_qa_model = Model(inputs=[video_input, video_question_input], outputs=output)

    questions, answers = np.random.randint(100, size=(4, 10)), np.eye(30)[np.random.randint(30, size=4)]
    for model, pictures in ((vqa_model, (4, 40, 40, 3)), (video_qa_model, (4, 5, 40, 40, 3))):
        model.compile("rmsprop", "categorical_crossentropy")
        data = [np.random.random(pictures), questions]
        before = vision_model.get_weights()[0]
        model.fit(data, answers, epochs=2, verbose=0)
        assert (vision_model.get_weights()[0] != before).any()
        np.testing.assert_allclose(model.predict(data).sum(axis=1), np.ones(4), rtol=1e-5)

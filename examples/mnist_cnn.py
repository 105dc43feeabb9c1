"""The manual's convolutional network on MNIST: about 99 % of the test digits after three epochs.

    python examples/mnist_cnn.py

Needs the plugins of `kcore[all]`; the data are fetched once. Prints accuracy and seconds.
"""

import time

import numpy as np

from kcore import backend as K
from kcore.datasets import mnist
from kcore.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from kcore.models import Sequential
from kcore.utils import to_categorical

np.random.seed(7)

(x_train, y_train), (x_test, y_test) = mnist.load_data()
x_train = x_train.reshape(-1, 28, 28, 1).astype("float32") / 255
x_test = x_test.reshape(-1, 28, 28, 1).astype("float32") / 255

model = Sequential()
model.add(Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)))
model.add(Conv2D(64, (3, 3), activation="relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(128, activation="relu"))
model.add(Dropout(0.5))
model.add(Dense(10, activation="softmax"))
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])

# A smaller rate in the last epoch: the weights settle.
RATES = (0.001, 0.001, 0.0002)

for epoch, rate in enumerate(RATES, start=1):
    K.set_value(model.optimizer.lr, rate)
    start = time.perf_counter()
    history = model.fit(x_train, to_categorical(y_train, 10), batch_size=128, verbose=0)
    seconds = time.perf_counter() - start
    loss, accuracy = model.evaluate(x_test, to_categorical(y_test, 10), batch_size=500, verbose=0)
    print(
        f"epoch {epoch}: {seconds:.0f} s, training loss {history.history['loss'][0]:.4f}, "
        f"test loss {loss:.4f}, test accuracy {accuracy:.2%}",
        flush=True,
    )

"""The manual's convolutional network on MNIST: more than 99 % of the test digits after three epochs.

    python examples/mnist_cnn.py [mnist.npz]

Needs the plugins of `kcore[all]`. The data are fetched once, or read from the file given, the one that Keras 2 keeps in
~/.keras/datasets. Prints accuracy and seconds.

What the manual leaves open was chosen on the last 10,000 training digits, never on the test digits: initial weights
after He et al. (2015), digits shifted by up to 2 pixels, small batches, and a learning rate that rises and then falls
to 0 within the three epochs (Smith, 2018).
"""

import os
import sys
import time

import numpy as np

from kcore import backend as K
from kcore.callbacks import Callback
from kcore.datasets import mnist
from kcore.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from kcore.models import Sequential
from kcore.preprocessing.image import ImageDataGenerator
from kcore.utils import to_categorical

EPOCHS, BATCH, RATE = 3, 32, 0.0015

np.random.seed(7)

(x_train, y_train), (x_test, y_test) = mnist.load_data(*map(os.path.abspath, sys.argv[1:2]))
x_train = x_train.reshape(-1, 28, 28, 1).astype("float32") / 255
x_test = x_test.reshape(-1, 28, 28, 1).astype("float32") / 255
y_train, y_test = to_categorical(y_train, 10), to_categorical(y_test, 10)

he = {"activation": "relu", "kernel_initializer": "he_uniform"}
model = Sequential()
model.add(Conv2D(32, (3, 3), input_shape=(28, 28, 1), **he))
model.add(Conv2D(64, (3, 3), **he))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(128, **he))
model.add(Dropout(0.5))
model.add(Dense(10, activation="softmax"))
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])


class OneCycle(Callback):
    """The learning rate of each batch: up to RATE in the first fifth of the training, then down to 0."""

    def on_train_begin(self, logs=None):
        self.batches, self.total = 0, EPOCHS * self.params["steps"]

    def on_batch_begin(self, batch, logs=None):
        done = self.batches / self.total
        K.set_value(self.model.optimizer.lr, RATE * min((done + 1 / self.total) / 0.2, (1 - done) / 0.8))
        self.batches += 1


class Report(Callback):
    """A line for each epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self.start
        loss, accuracy = self.model.evaluate(x_test, y_test, batch_size=500, verbose=0)
        print(
            f"epoch {epoch + 1}: {seconds:.0f} s, training loss {logs['loss']:.4f}, "
            f"test loss {loss:.4f}, test accuracy {accuracy:.2%}",
            flush=True,
        )


shifted = ImageDataGenerator(width_shift_range=3, height_shift_range=3, fill_mode="constant")  # an int: below 3 pixels
batches = shifted.flow(x_train, y_train, batch_size=BATCH)
model.fit_generator(batches, epochs=EPOCHS, verbose=0, callbacks=[OneCycle(), Report()])

"""A multi-layer perceptron on MNIST, in plain Keras 2: about 98.4 % of the test images after 12 epochs.

    kcore run examples/mnist_mlp.py [mnist.npz] [epochs]

The data are fetched once, or read from the file given, the one that Keras 2 keeps in ~/.keras/datasets.
"""

import os
import sys

import numpy as np
from keras.callbacks import LearningRateScheduler
from keras.datasets import mnist
from keras.layers import Dense, Dropout
from keras.models import Sequential
from keras.optimizers import Adam
from keras.utils import to_categorical

np.random.seed(1337)
epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 12

(x_train, y_train), (x_test, y_test) = mnist.load_data(*map(os.path.abspath, sys.argv[1:2]))
x_train = x_train.reshape(-1, 784).astype("float32") / 255
x_test = x_test.reshape(-1, 784).astype("float32") / 255
y_train, y_test = to_categorical(y_train, 10), to_categorical(y_test, 10)

model = Sequential()
model.add(Dense(512, activation="relu", input_shape=(784,)))
model.add(Dropout(0.2))
model.add(Dense(512, activation="relu"))
model.add(Dropout(0.2))
model.add(Dense(10, activation="softmax"))
model.summary()
model.compile(loss="categorical_crossentropy", optimizer=Adam(), metrics=["accuracy"])

slower = LearningRateScheduler(lambda epoch: 0.001 * 0.8**epoch)
model.fit(
    x_train, y_train, batch_size=128, epochs=epochs, validation_data=(x_test, y_test), callbacks=[slower], verbose=2
)
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print("Test loss:", loss)
print("Test accuracy:", accuracy)

"""A small network on the Boston housing data: a mean absolute error below 3 (thousand dollars) on the test part.

    python examples/boston_housing.py

Needs the plugins of `kcore[all]`; the data are fetched once. The learning rate falls to 0: of networks trained with
different seeds, the results then differ half as much (seen on parts of the training data).
"""

import numpy as np

from kcore.callbacks import LearningRateScheduler
from kcore.datasets import boston_housing
from kcore.layers import Dense
from kcore.models import Sequential

EPOCHS = 160

np.random.seed(7)

(x_train, y_train), (x_test, y_test) = boston_housing.load_data()
mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
x_train, x_test = (x_train - mean) / deviation, (x_test - mean) / deviation

model = Sequential()
model.add(Dense(64, activation="relu", input_shape=(13,)))
model.add(Dense(64, activation="relu"))
model.add(Dense(1))
model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])

fall = LearningRateScheduler(lambda epoch: 0.001 * (1 - epoch / EPOCHS))
model.fit(x_train, y_train, epochs=EPOCHS, batch_size=16, verbose=0, callbacks=[fall])
loss, error = model.evaluate(x_test, y_test, verbose=0)
print(f"mean absolute error on {len(x_test)} test districts: {error:.2f} thousand dollars")

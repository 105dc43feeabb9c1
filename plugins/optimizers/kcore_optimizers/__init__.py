"""kcore's optimizers: the eight of Keras 2.1.6, and loss scaling for float16."""

from kcore_optimizers.adadelta import Adadelta
from kcore_optimizers.adagrad import Adagrad
from kcore_optimizers.adam import Adam
from kcore_optimizers.adamax import Adamax
from kcore_optimizers.loss_scale import LossScaleOptimizer
from kcore_optimizers.nadam import Nadam
from kcore_optimizers.rmsprop import RMSprop
from kcore_optimizers.sgd import SGD
from kcore_optimizers.tf_optimizer import TFOptimizer

__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "Adamax", "LossScaleOptimizer", "Nadam", "RMSprop", "TFOptimizer"]

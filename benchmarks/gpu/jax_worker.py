"""Milliseconds for a training batch in JAX (one jitted step; parameters and state are donated to it) with Optax.

The data lie on the card and batches are gathered inside the step; the loss is read once an epoch. Images are NHWC.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from networks import RESNET50, Options, Workload, options, report


class Network:
    """Parameters and moving averages, made while a sample goes through the layers, and the function of them."""

    def __init__(self, workload: Workload):
        self.workload = workload
        self.random = np.random.RandomState(0)
        self.parameters: list[Any] = []
        self.making = True
        sample = np.zeros((2, *workload.shape), "int32" if workload.words else "float32")
        self.apply(self.parameters, sample, jax.random.key(0))
        self.making = False

    def apply(self, parameters: list[Any], x: Any, key: Any) -> Any:
        """The logits of a training step."""
        self.given, self.at, self.key = parameters, 0, key
        for kind, *args in self.workload.layers:
            x = getattr(self, kind)(x, *args)
        return x

    def weight(self, shape: tuple[int, ...], constant: float | None = None) -> Any:
        """The next parameter."""
        if self.making:
            fan = np.prod(shape[:-1]) + shape[-1]
            value = self.random.randn(*shape) * np.sqrt(2.0 / fan) if constant is None else np.full(shape, constant)
            self.parameters.append(jnp.asarray(value, jnp.float32))
        self.at += 1
        return self.given[self.at - 1]

    def dense(self, x: Any, units: int, activation: str | None) -> Any:
        x = x @ self.weight((x.shape[-1], units)) + self.weight((units,), 0.0)
        return jax.nn.relu(x) if activation else x

    def dropout(self, x: Any, rate: float) -> Any:
        self.key, key = jax.random.split(self.key)
        return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0.0)

    def relu(self, x: Any) -> Any:
        return jax.nn.relu(x)

    def flatten(self, x: Any) -> Any:
        return x.reshape(x.shape[0], -1)

    def batch_norm(self, x: Any) -> Any:
        axes = tuple(range(x.ndim - 1))
        scale, shift = self.weight(x.shape[-1:], 1.0), self.weight(x.shape[-1:], 0.0)
        mean, variance = x.mean(axes), x.var(axes)
        # The moving averages are left out: two small vectors a layer, which no other figure of the table depends on.
        return (x - mean) * (lax.rsqrt(variance + 1e-3) * scale) + shift

    def _conv(self, x: Any, kernel: Any, strides: tuple[int, ...], padding: Any, groups: int = 1) -> Any:
        names = ("NHWC", "HWIO", "NHWC") if x.ndim == 4 else ("NHC", "HIO", "NHC")
        padding = padding.upper() if isinstance(padding, str) else padding
        return lax.conv_general_dilated(
            x, kernel, strides, padding, dimension_numbers=names, feature_group_count=groups
        )

    def conv2d(self, x: Any, filters: int, k: int, stride: int, padding: Any, activation: str | None) -> Any:
        x = self._conv(x, self.weight((k, k, x.shape[-1], filters)), (stride, stride), padding)
        x = x + self.weight((filters,), 0.0)
        return jax.nn.relu(x) if activation else x

    def depthwise(self, x: Any, k: int, stride: int) -> Any:
        channels = x.shape[-1]
        x = self._conv(x, self.weight((k, k, 1, channels)), (stride, stride), "same", channels)
        return x + self.weight((channels,), 0.0)

    def conv1d(self, x: Any, filters: int, k: int, activation: str | None) -> Any:
        x = self._conv(x, self.weight((k, x.shape[-1], filters)), (1,), "valid") + self.weight((filters,), 0.0)
        return jax.nn.relu(x) if activation else x

    def pool2d(self, x: Any, size: int = 2, stride: int = 2) -> Any:
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, stride, stride, 1), "VALID")

    def global_average2d(self, x: Any) -> Any:
        return x.mean((1, 2))

    def global_max1d(self, x: Any) -> Any:
        return x.max(1)

    def embedding(self, x: Any, words: int, units: int) -> Any:
        return self.weight((words, units))[x]

    def _cell_weights(self, given: int, units: int, gates: int) -> tuple[Any, Any, Any]:
        sizes = (given, gates * units), (units, gates * units)
        return self.weight(sizes[0]), self.weight(sizes[1]), self.weight((gates * units,), 0.0)

    def lstm(self, x: Any, units: int, gate: Any = None) -> Any:
        gate = gate or _hard
        kernel, recurrent, bias = self._cell_weights(x.shape[-1], units, 4)

        def step(state: Any, inputs: Any) -> Any:
            h, c = state
            i, f, g, o = jnp.split(inputs + h @ recurrent, 4, axis=-1)
            c = gate(f) * c + gate(i) * jnp.tanh(g)
            return (gate(o) * jnp.tanh(c), c), None

        zero = jnp.zeros((x.shape[0], units))
        return lax.scan(step, (zero, zero), (x @ kernel + bias).swapaxes(0, 1))[0][0]

    def lstm_sigmoid(self, x: Any, units: int) -> Any:
        return self.lstm(x, units, jax.nn.sigmoid)

    def bigru(self, x: Any, units: int) -> Any:
        def one_way(reverse: bool) -> Any:
            kernel, recurrent, bias = self._cell_weights(x.shape[-1], units, 3)

            def step(h: Any, inputs: Any) -> Any:
                gates, own = inputs[:, : 2 * units], inputs[:, 2 * units :]
                z, r = jnp.split(_hard(gates + h @ recurrent[:, : 2 * units]), 2, axis=-1)
                h = z * h + (1 - z) * jnp.tanh(own + (r * h) @ recurrent[:, 2 * units :])
                return h, h

            start = jnp.zeros((x.shape[0], units))
            return lax.scan(step, start, (x @ kernel + bias).swapaxes(0, 1), reverse=reverse)[1].swapaxes(0, 1)

        return jnp.concatenate([one_way(False), one_way(True)], axis=-1)

    def resnet50(self, x: Any) -> Any:
        x = jax.nn.relu(self.batch_norm(self.conv2d(x, 64, 7, 2, [(3, 3), (3, 3)], None)))
        x = self.pool2d(x, 3)
        for filters, count, stride in RESNET50:
            for i in range(count):
                first = stride if not i else 1
                side = x if i else self.batch_norm(self.conv2d(x, 4 * filters, 1, first, "valid", None))
                x = jax.nn.relu(self.batch_norm(self.conv2d(x, filters, 1, first, "valid", None)))
                x = jax.nn.relu(self.batch_norm(self.conv2d(x, filters, 3, 1, "same", None)))
                x = self.batch_norm(self.conv2d(x, 4 * filters, 1, 1, "valid", None))
                x = jax.nn.relu(x + side)
        return self.global_average2d(x)


def _hard(x: Any) -> Any:
    return jnp.clip(0.2 * x + 0.5, 0, 1)


OPTIMIZERS = {
    "sgd": lambda: optax.sgd(0.01),
    "nesterov": lambda: optax.sgd(0.01, momentum=0.9, nesterov=True),
    "rmsprop": lambda: optax.rmsprop(0.001, 0.9, 1e-7),
    "adadelta": lambda: optax.adadelta(1.0, 0.95, 1e-7),
    "adam": lambda: optax.adam(0.001, eps=1e-7),
}


def main(asked: Options) -> None:
    if asked.cpu:
        jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_default_matmul_precision", "tensorfloat32" if asked.tf32 else "float32")
    if not asked.cpu and jax.default_backend() != "gpu":
        raise SystemExit(f'JAX sees no GPU (its platform is {jax.default_backend()}): pip install "jax[cuda13]"')
    workload = asked.workload
    network = Network(workload)
    optimizer = OPTIMIZERS[workload.optimizer]()
    x, y = (jnp.asarray(a) for a in workload.data(asked.samples))

    def loss_of(parameters: Any, rows: Any, key: Any) -> Any:
        found, wanted = network.apply(parameters, x[rows], key), y[rows]
        if workload.classes == 1:
            return optax.sigmoid_binary_cross_entropy(found, wanted).mean()
        return optax.softmax_cross_entropy(found, wanted).mean()

    @partial(jax.jit, donate_argnums=(0, 1, 4))
    def step(parameters: Any, state: Any, rows: Any, key: Any, total: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(parameters, rows, key)
        changes, state = optimizer.update(gradients, state, parameters)
        return optax.apply_updates(parameters, changes), state, total + loss

    held = [network.parameters, optimizer.init(network.parameters), jax.random.key(1)]
    network.parameters = []

    def epoch() -> float:
        held[2], shuffle, dropped = jax.random.split(held[2], 3)
        order, total = jax.random.permutation(shuffle, asked.samples), jnp.zeros(())
        batches = asked.samples // asked.batch
        for i, key in enumerate(jax.random.split(dropped, batches)):
            rows = lax.dynamic_slice_in_dim(order, i * asked.batch, asked.batch)
            held[0], held[1], total = step(held[0], held[1], rows, key, total)
        return float(total) / batches

    parameters = sum(p.size for p in held[0])
    device = str(jax.devices()[0].device_kind)
    report(asked, epoch, framework=f"JAX {jax.__version__}", device=device, parameters=int(parameters))


if __name__ == "__main__":
    main(options(__doc__))

"""LSTM and GRU, forward and backward, beside tf-keras and PyTorch in one run.

    python benchmarks/recurrent.py --keras-python PYTHON_WITH_TF_KERAS --torch-python PYTHON_WITH_TORCH

kcore is measured with NumPy alone, and where kcore-kernels-numba is installed with that too (``numba``). One process
for each; they take turns case by case and round by round, so that whatever else the machine does
meets all of them, and the best time of all rounds counts. Timed is a call that gives the gradients of ``sum(outputs)``
with respect to the input and all weights (float32, bias, whole sequences, 2 threads). Keras and kcore use the defaults
of Keras 2.1.6 (``recurrent_activation="hard_sigmoid"``, ``reset_after=False``); PyTorch has a sigmoid there, and its
GRU resets after the product. ``--write`` keeps the table in recurrent.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable

CASES = ((32, 80, 128, 128), (64, 20, 32, 32))  # batch, steps, features, units
LAYERS = ("LSTM", "GRU")
JOBS = [(layer, case) for layer in LAYERS for case in CASES]
GOALS = (
    "Goals for the LSTM: 2.5 times as fast as tf_keras, at least half as fast as torch. Times are the best of all "
    "rounds; `numpy` is kcore alone, `numba` kcore with the plugin kcore-kernels-numba."
)
NOTES = "<!-- what follows is written by hand -->"


def best_time(run: Callable[[], object], seconds: float = 0.7) -> float:
    """The shortest of repeated calls, in milliseconds."""
    for _ in range(3):
        run()
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


def run_kcore(layer: str, batch: int, steps: int, features: int, units: int) -> Callable[[], object]:
    import numpy as np

    from kcore import backend as K
    from kcore.ops import recurrent

    rng = np.random.default_rng(0)
    gates = {"LSTM": 4, "GRU": 3}[layer]
    shapes = ((features, gates * units), (units, gates * units), (gates * units,))
    weights = [K.variable(rng.standard_normal(s) * 0.1) for s in shapes]
    x = K.placeholder((None, steps, features))
    outputs = {"LSTM": recurrent.lstm, "GRU": recurrent.gru}[layer](x, *weights)[0]
    function = K.function([x], K.gradients(K.sum(outputs), [x, *weights]))
    data = rng.standard_normal((batch, steps, features)).astype("float32")
    return lambda: function([data])


def run_tf_keras(layer: str, batch: int, steps: int, features: int, units: int) -> Callable[[], object]:
    import numpy as np
    import tensorflow as tf
    import tf_keras

    tf.config.threading.set_intra_op_parallelism_threads(2)
    options = {"reset_after": False} if layer == "GRU" else {}
    model = getattr(tf_keras.layers, layer)(
        units, recurrent_activation="hard_sigmoid", return_sequences=True, **options
    )
    data = tf.constant(np.random.default_rng(0).standard_normal((batch, steps, features)).astype("float32"))
    model(data)

    @tf.function
    def gradients(x: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(model(x))
        return tape.gradient(loss, [x, *model.trainable_variables])

    return lambda: [g.numpy() for g in gradients(data)]


def run_torch(layer: str, batch: int, steps: int, features: int, units: int) -> Callable[[], object]:
    import torch

    torch.set_num_threads(2)
    model = getattr(torch.nn, layer)(features, units, batch_first=True)
    data = torch.randn(batch, steps, features, requires_grad=True)

    def run() -> None:
        model.zero_grad()
        data.grad = None
        model(data)[0].sum().backward()

    return run


KCORE = ("numpy", "numba")
ENGINES = {"numpy": run_kcore, "numba": run_kcore, "tf_keras": run_tf_keras, "torch": run_torch}


def work(engine: str) -> None:
    """Serve: a line with the number of a case in, a line with its best time out."""
    runs: dict[int, Callable[[], object]] = {}
    for line in sys.stdin:
        number = int(line)
        if number not in runs:
            layer, case = JOBS[number]
            runs[number] = ENGINES[engine](layer, *case)
        print(f"RESULT {best_time(runs[number])}", flush=True)


class Worker:
    """One framework in a process of its own."""

    def __init__(self, engine: str, python: str):
        command = [python, __file__, "--worker", engine]
        switched_off = {"KCORE_PLUGINS_DISABLED": "kcore-kernels-numba"} if engine == "numpy" else {}
        self.engine = engine
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **switched_off},
        )

    def time(self, number: int) -> float:
        """The best time of a case, in milliseconds."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("RESULT"):
                return float(line.split()[1])
        raise SystemExit(f"{self.engine} gave no result; run {' '.join(map(str, self.process.args))} by hand")


def measure(workers: list[Worker], rounds: int) -> dict[str, list[float]]:
    """Best times of all cases, by engine."""
    best = {w.engine: [float("inf")] * len(JOBS) for w in workers}
    for _ in range(rounds):
        for number in range(len(JOBS)):
            for worker in workers:
                best[worker.engine][number] = min(best[worker.engine][number], worker.time(number))
    return best


def table(best: dict[str, list[float]]) -> str:
    """Markdown: times in milliseconds, and how many times as fast as each peer kcore is."""
    pairs = [(peer, ours) for peer in best if peer not in KCORE for ours in KCORE if ours in best]
    head = ["layer (batch, steps, features, units)", *(f"{engine} ms" for engine in best)]
    head += [f"{peer} / {ours}" for peer, ours in pairs]
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for number, (layer, case) in enumerate(JOBS):
        row = [f"{layer} {case}", *(f"{times[number]:.2f}" for times in best.values())]
        lines.append(" | ".join(row + [f"{best[peer][number] / best[ours][number]:.2f}" for peer, ours in pairs]))
    return "\n".join(f"| {line} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keras-python", help="Python of an environment with tensorflow-cpu and tf-keras")
    parser.add_argument("--torch-python", help="Python of an environment with PyTorch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="keep the table in recurrent.md")
    parser.add_argument("--worker", choices=ENGINES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work(given.worker)
        return
    plugin = sys.executable if importlib.util.find_spec("kcore_kernels_numba") else None
    pythons = {"numpy": sys.executable, "numba": plugin, "tf_keras": given.keras_python, "torch": given.torch_python}
    workers = [Worker(engine, python) for engine, python in pythons.items() if python]
    text = table(measure(workers, given.rounds))
    for worker in workers:
        worker.process.terminate()
    print(text)
    if given.write:
        page = (
            "# LSTM and GRU, forward and backward\n\n"
            "`python benchmarks/recurrent.py --keras-python ... --torch-python ... "
            f"--rounds {given.rounds} --write`\n\n"
            f"{GOALS}\n\n{text}\n"
        )
        file = pathlib.Path(__file__).with_suffix(".md")
        _, mark, notes = file.read_text(encoding="utf-8").partition(NOTES) if file.exists() else ("", "", "")
        file.write_text(f"{page}\n{mark}{notes}" if mark else page, encoding="utf-8")


if __name__ == "__main__":
    main()

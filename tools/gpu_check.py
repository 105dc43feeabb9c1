"""Everything of kcore that needs a GPU, in one run: `make gpu-check`.

    python tools/gpu_check.py [--quick]

1. the tests of operations and layers on the GPU, against the expectations of the NumPy device;
2. compute-sanitizer (memcheck, racecheck) over the operations' tests, where it is installed;
3. the loss of the manual's MNIST network on the GPU beside the NumPy device's;
4. milliseconds per training step beside PyTorch (eager, compiled) where it is installed.

The results go to benchmarks/gpu.md. Exit status: 0 if everything passed, 1 if something failed, 2 without a GPU.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "benchmarks" / "gpu.md"

LOSSES = """
import json, sys
import numpy as np
np.random.seed(1)
from kcore import backend as K
from kcore.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from kcore.models import Sequential
x = np.random.rand(2048, 28, 28, 1).astype("float32")
y = np.eye(10, dtype="float32")[(x[:, 10:18, 10:18].sum((1, 2, 3)) * 7).astype(int) % 10]
model = Sequential([Conv2D(32, 3, activation="relu", input_shape=(28, 28, 1)), Conv2D(64, 3, activation="relu"),
    MaxPooling2D(2), Dropout(0.25), Flatten(), Dense(128, activation="relu"), Dropout(0.5),
    Dense(10, activation="softmax")])
model.compile("adadelta", "categorical_crossentropy")
history = model.fit(x, y, batch_size=128, epochs=3, verbose=0)
print(json.dumps({"backend": K.backend(), "loss": history.history["loss"]}))
"""

STEPS = """
import json, time
import numpy as np
from kcore import backend as K
from kcore.layers import LSTM, Conv2D, Dense, Embedding, Flatten, MaxPooling2D
from kcore.models import Sequential
def timed(model, x, y, loss):
    model.compile("adam", loss)
    for _ in range(5): model.train_on_batch(x, y)
    times = []
    for _ in range(30):
        start = time.perf_counter(); model.train_on_batch(x, y); times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))
r = np.random.RandomState(0)
ten = np.eye(10, dtype="float32")[r.randint(0, 10, 128)]
print(json.dumps({
    "mlp": timed(Sequential([Dense(512, activation="relu", input_shape=(784,)), Dense(512, activation="relu"),
        Dense(10, activation="softmax")]), r.rand(128, 784).astype("float32"), ten, "categorical_crossentropy"),
    "cnn": timed(Sequential([Conv2D(32, 3, activation="relu", input_shape=(28, 28, 1)),
        Conv2D(64, 3, activation="relu"), MaxPooling2D(2), Flatten(), Dense(128, activation="relu"),
        Dense(10, activation="softmax")]), r.rand(128, 28, 28, 1).astype("float32"), ten, "categorical_crossentropy"),
    "lstm": timed(Sequential([Embedding(20000, 128, input_length=80), LSTM(128), Dense(1, activation="sigmoid")]),
        r.randint(0, 20000, (32, 80)), r.randint(0, 2, (32, 1)), "binary_crossentropy"),
}))
"""

TORCH = """
import json, sys, time
import numpy as np, torch
from torch import nn
def timed(model, x, y, loss, compiled):
    model = model.cuda(); x, y = x.cuda(), y.cuda()
    optimizer = torch.optim.Adam(model.parameters())
    run = torch.compile(model, mode="reduce-overhead") if compiled else model
    def step():
        optimizer.zero_grad(); value = loss(run(x), y); value.backward(); optimizer.step(); return value.item()
    for _ in range(5): step()
    times = []
    for _ in range(30):
        start = time.perf_counter(); step(); times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))
class Last(nn.Module):
    def __init__(self):
        super().__init__(); self.e = nn.Embedding(20000, 128); self.l = nn.LSTM(128, 128, batch_first=True)
        self.d = nn.Linear(128, 1)
    def forward(self, x): return self.d(self.l(self.e(x))[0][:, -1])
found = {}
for compiled in (False, True):
    kind = "compiled" if compiled else "eager"
    ten = torch.randint(0, 10, (128,))
    found[f"mlp {kind}"] = timed(nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
        nn.Linear(512, 10)), torch.rand(128, 784), ten, nn.CrossEntropyLoss(), compiled)
    found[f"cnn {kind}"] = timed(nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10)),
        torch.rand(128, 1, 28, 28), ten, nn.CrossEntropyLoss(), compiled)
    found[f"lstm {kind}"] = timed(Last(), torch.randint(0, 20000, (32, 80)), torch.rand(32, 1),
        nn.BCEWithLogitsLoss(), compiled)
print(json.dumps(found))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the operations' table only, no sanitizer")
    args = parser.parse_args()
    from kcore_backends_cupy import CupyDevice

    reason = CupyDevice.explain()
    if reason is not None:
        print(f"gpu-check needs a GPU: {reason}", file=sys.stderr)
        return 2
    results = [_tests(args.quick), *([] if args.quick else _sanitizer()), _losses()]
    table = _speed()
    _write(results, table)
    print(TARGET.read_text(encoding="utf-8"))
    return 0 if all(ok for _, ok, _ in results) else 1


def _run(command: list[str], backend: str = "cupy") -> tuple[bool, str]:
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "KCORE_BACKEND": backend}
    )
    print(result.stdout[-2000:], result.stderr[-2000:], sep="\n")
    return result.returncode == 0, result.stdout


def _pytest(*words: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-q", "--device=cupy", *words]


def _tests(quick: bool) -> tuple[str, bool, str]:
    where = ["tests/ops/test_catalogue.py"] if quick else ["tests/ops", "tests/backend", "plugins/layers"]
    ok, text = _run(_pytest(*where))
    return "tests of operations and layers", ok, text.strip().splitlines()[-1] if text.strip() else "no output"


def _sanitizer() -> list[tuple[str, bool, str]]:
    program = shutil.which("compute-sanitizer")
    if program is None:
        return [("compute-sanitizer", False, "not installed: it comes with the CUDA toolkit")]
    found = []
    for tool in ("memcheck", "racecheck"):
        ok, text = _run([program, "--tool", tool, "--error-exitcode", "9", *_pytest("tests/ops/test_catalogue.py")])
        found.append((f"compute-sanitizer {tool}", ok, text.strip().splitlines()[-1] if text.strip() else ""))
    return found


def _losses() -> tuple[str, bool, str]:
    losses = {}
    for backend in ("cupy", "numpy"):
        ok, text = _run([sys.executable, "-c", LOSSES], backend)
        if not ok:
            return "MNIST network's loss", False, f"failed on {backend}"
        losses[backend] = json.loads(text.strip().splitlines()[-1])["loss"]
    close = all(abs(a - b) <= 0.05 * abs(b) for a, b in zip(losses["cupy"], losses["numpy"]))
    shown = "; ".join(f"{name} {', '.join(f'{v:.4f}' for v in values)}" for name, values in losses.items())
    return "MNIST network's loss, epoch by epoch", close, shown


def _speed() -> dict[str, float]:
    table: dict[str, float] = {}
    ok, text = _run([sys.executable, "-c", STEPS])
    if ok:
        table |= {f"{name} kcore": value for name, value in json.loads(text.strip().splitlines()[-1]).items()}
    if importlib.util.find_spec("torch") is not None:
        ok, text = _run([sys.executable, "-c", TORCH])
        if ok:
            table |= {f"{name} (PyTorch)": v for name, v in json.loads(text.strip().splitlines()[-1]).items()}
    return table


def _write(results: list[tuple[str, bool, str]], table: dict[str, float]) -> None:
    import cupy

    properties = cupy.cuda.runtime.getDeviceProperties(0)
    lines = [
        "# On a GPU",
        "",
        f"`make gpu-check`, {time.strftime('%Y-%m-%d')}, {properties['name'].decode()}, CuPy {cupy.__version__}.",
        "",
        "| check | result | |",
        "|---|---|---|",
        *(f"| {name} | {'passed' if ok else 'FAILED'} | {what} |" for name, ok, what in results),
        "",
        "Milliseconds per training step, data on the host, median of 30:",
        "",
        "| workload | ms |",
        "|---|---|",
        *(f"| {name} | {value:.3f} |" for name, value in sorted(table.items())),
    ]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

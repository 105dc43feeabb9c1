"""Everything of kcore that needs a GPU, in one run: `make gpu-check`.

    python tools/gpu_check.py [--install] [--data mnist.npz] [--torch-python P] [--jax-python P] [--only tests,speed]

What is missing (CuPy, and PyTorch and JAX in environments of their own) is installed with `--install`, and named
without it. The steps, each in processes of its own, so that one that fails or hangs takes nothing else with it:

    tests       all tests of operations and layers on the GPU, with the expectations of the NumPy device
    sanitizer   compute-sanitizer's memcheck and racecheck over the tests of kernels
    recurrent   cuDNN's recurrent layers beside kcore's step kernels: values in three dtypes, bits of two runs, whether
                graphs hold them, milliseconds
    curve       the losses of the manual's MNIST network beside the NumPy device's, for three seeds
    speed       the workloads of benchmarks/gpu/networks.py, with and without replay, beside PyTorch (eager and
                compiled) and JAX; ResNet50 in TF32, too

benchmarks/gpu.md is written after each step. `--rehearse` runs the same on a machine without a GPU: kernels on the
host, peers on the CPU, everything tiny; it shows that the command works, and its figures mean nothing.

Exit status: 0 if everything passed, 1 if something failed or could not be run, 2 without a GPU.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
BENCH = ROOT / "benchmarks" / "gpu"
PLUGIN = ROOT / "plugins" / "backends" / "cupy"
TESTS = ("tests/ops", "tests/backend", "tests/runtime/test_scan.py", "plugins/layers", "plugins/backends/cupy/tests")
KERNEL_TESTS = ("tests/ops/test_catalogue.py", "tests/ops/test_batch_norm.py", "tests/ops/test_conv.py",
                "tests/ops/test_pool.py", "tests/ops/test_recurrent.py", "tests/ops/test_ctc.py",
                "tests/runtime/test_scan.py")  # fmt: skip
OWN_TESTS = (
    "tests/ops/test_catalogue.py",
    "tests/ops/test_linalg.py",
    "tests/ops/test_conv.py",
    "tests/ops/test_recurrent.py",
)
STEPS = ("tests", "sanitizer", "recurrent", "curve", "speed")
WORKLOADS = ("mlp_small", "mlp_mnist", "cnn_mnist", "cnn_vgg", "cnn_text", "lstm_text", "lstm_sigmoid_text",
             "bigru_tagger", "mobilenet", "resnet50")  # fmt: skip
DTYPES = ("float16", "float32", "float64")
COLUMNS = ("expected", "kcore", "kcore, no replay", "PyTorch eager", "PyTorch compiled", "JAX")
HOUR = 3600


class Check(NamedTuple):
    """A line of the report."""

    name: str
    ok: bool
    what: str


class Result(NamedTuple):
    """How a command ended, and what it wrote."""

    ok: bool
    out: str
    err: str

    def last_line(self) -> str:
        """The last line of the output, or of the messages."""
        lines = (self.out.strip() or self.err.strip()).splitlines()
        return lines[-1] if lines else "no output"

    def figures(self) -> Any:
        """The last line of JSON in the output."""
        return json.loads([line for line in self.out.splitlines() if line.startswith("{")][-1])


class Run:
    """One run of the command: where things run, and what was found so far."""

    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.rehearse: bool = args.rehearse
        self.checks: list[Check] = []
        self.layers: list[dict[str, Any]] = []
        self.speed: dict[str, dict[str, str]] = {}
        self.frameworks: dict[str, str] = {}
        self.peers = {name: _peer(name, getattr(args, f"{name}_python")) for name in ("torch", "jax")}

    # -- processes ---------------------------------------------------------------------------------------
    def call(self, command: list[str], limit: float, backend: str = "cupy", **variables: str) -> Result:
        """Run a command with kcore's backend and further variables."""
        environment = {k: v for k, v in os.environ.items() if k != "KCORE_CUPY_EMULATE"}
        environment |= {"KCORE_BACKEND": backend, **variables}
        if self.rehearse:
            environment["KCORE_CUPY_EMULATE"] = "1"
        print(f"[{time.strftime('%H:%M:%S')}] {shlex.join(command)}", flush=True)
        try:
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment, timeout=limit
            )
        except subprocess.TimeoutExpired:
            return Result(False, "", f"stopped after {limit:.0f} s")
        except OSError as error:
            return Result(False, "", str(error))
        if done.returncode:
            print(done.stdout[-3000:], done.stderr[-3000:], sep="\n", flush=True)
        return Result(done.returncode == 0, done.stdout, done.stderr)

    def pytest(self, *words: str) -> list[str]:
        """The command that runs tests on the device."""
        return [sys.executable, "-m", "pytest", "-q", f"--device={'emulated' if self.rehearse else 'cupy'}", *words]

    # -- steps -------------------------------------------------------------------------------------------
    def tests(self) -> Iterator[Check]:
        """The tests of operations and layers."""
        where = ("tests/ops/test_batch_norm.py",) if self.rehearse else TESTS
        result = self.call(self.pytest(*where), 2 * HOUR)
        failed = [line.split(" - ")[0] for line in result.out.splitlines() if line.startswith(("FAILED", "ERROR"))]
        yield Check("tests of operations and layers", result.ok, "; ".join([result.last_line(), *failed[:20]]))
        if not self.rehearse:  # what runs where cuBLASLt and cuDNN are missing or know no way
            result = self.call(self.pytest(*OWN_TESTS), HOUR, KCORE_CUPY_LIBRARIES="0")
            yield Check("operations without NVIDIA's libraries", result.ok, result.last_line())

    def sanitizer(self) -> Iterator[Check]:
        """memcheck and racecheck of kcore's kernels, each value in memory of its own: in CuPy's pool and a plan's arena
        a read beyond an array would meet another array."""
        program = _sanitizer()
        for tool in ("memcheck", "racecheck"):
            name = f"compute-sanitizer {tool}"
            if program is None:
                yield Check(name, False, "not installed: it comes with the CUDA toolkit (apt: cuda-sanitizer-12-9)")
                continue
            words = [program, "--tool", tool, "--error-exitcode", "9", "--target-processes", "all"]
            result = self.call(
                [*words, *self.pytest(*KERNEL_TESTS)], 3 * HOUR, KCORE_CUPY_POOL="0", KCORE_CUPY_LIBRARIES="0"
            )
            found = [line for line in (result.out + result.err).splitlines() if "ERROR SUMMARY" in line]
            yield Check(name, result.ok, "; ".join([result.last_line(), *found[-1:]]))

    def recurrent(self) -> Iterator[Check]:
        """cuDNN's recurrent layers beside the step kernels."""
        words = [sys.executable, str(BENCH / "recurrent.py"), *(["--tiny"] if self.rehearse else [])]
        name, result = "cuDNN's recurrent layers", self.call(words, HOUR)
        if not result.ok:
            yield Check(name, False, result.last_line())
            return
        self.layers = result.figures()["rows"]
        yield compare_layers(name, self.layers, ("agrees", "repeats", *(() if self.rehearse else ("used", "captured"))))

    def curve(self) -> Iterator[Check]:
        """Losses of the MNIST network: the same network, data and random bits on both devices."""
        words = [sys.executable, str(BENCH / "mnist_curve.py")]
        words += ["--data", self.args.data] if self.args.data else []
        words += ["--samples", "8", "--epochs", "1", "--seeds", "1,2"] if self.rehearse else []
        found = {}
        for backend in ("numpy", "cupy"):
            result = self.call(words, HOUR, backend)
            if not result.ok:
                yield Check("losses of the MNIST network", False, f"failed on {backend}: {result.last_line()}")
                return
            found[backend] = result.figures()
        yield compare_curves(found["numpy"], found["cupy"])

    def compare_speed(self) -> Iterator[Check]:
        """Milliseconds per training batch, workload by workload."""
        for name in self.args.workloads.split(","):
            self.measure(name, name, [])
            if name == "resnet50":
                self.measure(f"{name}, TF32", name, ["--tf32"])
        failed = [f"{w}: {c}" for w, row in self.speed.items() for c, cell in row.items() if cell == "failed"]
        missing = [f"{name}: {reason}" for name, (python, reason) in self.peers.items() if python is None]
        yield Check("workloads", not failed and not missing, "; ".join([*failed, *missing]) or "all ran")

    def measure(self, row: str, workload: str, more: list[str]) -> None:
        """One row of the table."""
        words = [workload, *more]
        words += ["--samples", "4", "--batch", "2", "--epochs", "1"] if self.rehearse else []
        cpu = ["--cpu"] if self.rehearse else []
        ours = [sys.executable, str(BENCH / "kcore_worker.py"), *words]
        cells = self.speed.setdefault(row, {})
        self._cell(cells, "kcore", ours)
        self._cell(cells, "kcore, no replay", ours, KCORE_CUPY_REPLAY="0")
        for name, column, extra in (
            ("torch", "PyTorch eager", []), ("torch", "PyTorch compiled", ["--compiled"]), ("jax", "JAX", []),
        ):  # fmt: skip
            python = self.peers[name][0]
            if python is None:
                cells[column] = "not installed"
            else:
                self._cell(cells, column, [python, str(BENCH / f"{name}_worker.py"), *words, *extra, *cpu])

    def _cell(self, cells: dict[str, str], column: str, command: list[str], **variables: str) -> None:
        result = self.call(command, HOUR / 2, **variables)
        if not result.ok:
            cells[column] = "failed"
            return
        figures = result.figures()
        self.frameworks[column.split()[0].strip(",")] = f"{figures['framework']} on {figures['device']}"
        cells[column] = f"{figures['ms']:.3f}"
        if column == "kcore" and "expected_ms" in figures:
            cells["expected"] = f"{figures['expected_ms']:.3f}"

    # -- the report --------------------------------------------------------------------------------------
    def write(self) -> None:
        """benchmarks/gpu.md, as far as it is known."""
        target = Path(self.args.target)
        target.write_text("\n".join(self._lines()) + "\n", encoding="utf-8")

    def _lines(self) -> Iterator[str]:
        yield "# On a GPU"
        yield ""
        if self.rehearse:
            yield "**A rehearsal without a GPU: the figures mean nothing.**\n"
        yield f"`{shlex.join(['python', 'tools/gpu_check.py', *sys.argv[1:]])}`, {time.strftime('%Y-%m-%d')}"
        yield ""
        for name, value in {**_machine(), **self.frameworks}.items():
            yield f"- {name}: {value}"
        yield "\n| check | result | |\n|---|---|---|"
        for check in self.checks:
            yield f"| {check.name} | {'passed' if check.ok else 'FAILED'} | {check.what} |"
        if self.layers:
            yield "\nRecurrent layers with sigmoid gates: a step of training in float32 (median) by cuDNN and by the"
            yield "step kernels; the largest difference of any result, as a part of the largest value.\n"
            yield "| layer (batch, steps, features, units) | cuDNN ms | steps ms | ratio | " + " | ".join(DTYPES) + " |"
            yield "|---" * (4 + len(DTYPES)) + "|"
            for row in self.layers:
                cells = [f"{row['cudnn']:.3f}", f"{row['steps']:.3f}", f"{row['steps'] / row['cudnn']:.2f}"]
                cells += [f"{row['difference'][d]:.1e}" for d in DTYPES]
                yield f"| {row['layer']} {tuple(row['sizes'])} | " + " | ".join(cells) + " |"
        if self.speed:
            yield "\nMilliseconds per training batch (median epoch of three; data as each framework's users give them:"
            yield "kcore's `fit` from arrays of the host, the peers' on the card), float32 unless the row says TF32."
            yield "Expected: what kcore's launches take on an H100 at least, counted by benchmarks/gpu/costs.py, which"
            yield "prints each launch beside its measured time (float32, without tensor cores).\n"
            yield "| workload | " + " | ".join(COLUMNS) + " | replay | ahead of PyTorch compiled |"
            yield "|---" * (len(COLUMNS) + 3) + "|"
            for name, cells in self.speed.items():
                shown = [cells.get(c, "") for c in COLUMNS]
                ratios = [_ratio(cells, c, "kcore") for c in ("kcore, no replay", "PyTorch compiled")]
                yield f"| {name} | " + " | ".join([*shown, *ratios]) + " |"
            yield "\nPyTorch's LSTM and GRU have sigmoid gates (its fused kernels know no others), those of kcore and"
            yield "JAX the hard sigmoid that the manual has as its default. In lstm_sigmoid_text all have sigmoid ones;"
            yield "kcore and PyTorch compute it by cuDNN."


def compare_curves(numpy: dict[str, Any], cupy: dict[str, Any]) -> Check:
    """Whether two sets of loss curves agree within noise: the means of the seeds differ by no more than the seeds do
    among each other (and 1 %), and the first epoch of each seed, which began with equal weights, by less than 5 %."""
    ok, shown = True, []
    for ours, theirs in zip(zip(*cupy["losses"]), zip(*numpy["losses"])):
        mean, wanted = sum(ours) / len(ours), sum(theirs) / len(theirs)
        ok = ok and abs(mean - wanted) <= max(theirs) - min(theirs) + 0.01 * wanted
        shown.append(f"{mean:.4f} ({wanted:.4f})")
    for ours, theirs in zip(cupy["losses"], numpy["losses"]):
        ok = ok and abs(ours[0] - theirs[0]) <= 0.05 * theirs[0]
    accuracy = [f"{sum(d['accuracy']) / len(d['accuracy']):.2%}" for d in (cupy, numpy)]
    text = f"{cupy['data']}, cupy (numpy): {', '.join(shown)}; test accuracy {accuracy[0]} ({accuracy[1]})"
    return Check("losses of the MNIST network", ok, text)


def compare_layers(name: str, rows: list[dict[str, Any]], wanted: tuple[str, ...]) -> Check:
    """Whether cuDNN was used for every layer, agrees with the step kernels, repeats to the bit and lies in graphs."""
    failed = [f"{row['layer']} {tuple(row['sizes'])}: not {what}" for row in rows for what in wanted if not row[what]]
    return Check(name, not failed, "; ".join(failed) or f"{len(rows)} layers: {', '.join(wanted)}")


def _ratio(cells: dict[str, str], above: str, below: str) -> str:
    try:
        return f"{float(cells[above]) / float(cells[below]):.2f}"
    except (KeyError, ValueError):
        return ""


def _sanitizer() -> str | None:
    found = shutil.which("compute-sanitizer")
    for home in (os.environ.get("CUDA_HOME"), "/usr/local/cuda"):
        path = Path(home or "/nowhere") / "bin" / "compute-sanitizer"
        found = found or (str(path) if path.exists() else None)
    return found


def _machine() -> dict[str, str]:
    """The card, its driver, and the versions of the libraries."""
    found = {}
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,power.limit", "--format=csv,noheader"]
    if shutil.which(query[0]):
        found["card, driver, memory, power limit"] = subprocess.run(
            query, capture_output=True, text=True, check=False
        ).stdout.strip().replace("\n", "; ")  # fmt: skip
    from kcore_backends_cupy.availability import driver_cuda

    cuda = driver_cuda()
    found["CUDA of the driver"] = "none" if cuda is None else f"{cuda[0]}.{cuda[1]}"
    wanted = ("cupy-", "nvidia-cudnn", "nvidia-cublas", "nvidia-cuda-nvrtc", "numpy")
    names = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    found["libraries"] = ", ".join(f"{n} {v}" for n, v in sorted(names.items()) if n and n.startswith(wanted))
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    found["commit"] = commit.stdout.strip()[:12] or "unknown"
    return found


# -- what must be there ----------------------------------------------------------------------------------


def _peer(name: str, given: str | None) -> tuple[str | None, str]:
    """The interpreter that has a framework, or None and what to do."""
    own = ROOT / ".venv" / f"peer-{name}" / "bin" / "python"
    for python in [given] if given else [str(own), sys.executable]:
        probe = [str(python), "-c", f"import {name}" + (", optax" if name == "jax" else "")]
        try:
            if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
                return str(python), ""
        except OSError:
            continue
    return None, f"not found in {given or sys.executable}: run with --install, or give --{name}-python"


def install(wanted_extra: str) -> None:
    """CuPy into this environment, the peers into environments of their own."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation"]
    extras = f"{wanted_extra},{wanted_extra.replace('cuda', 'cudnn-cu')},test"
    subprocess.run([*pip, "-e", f"{PLUGIN}[{extras}]"], cwd=ROOT, check=True)
    for name, packages in {"torch": ["torch", "numpy"], "jax": [f"jax[{wanted_extra}]", "optax"]}.items():
        if _peer(name, None)[0] is None:
            folder = ROOT / ".venv" / f"peer-{name}"
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages]
            if subprocess.run(command, check=False).returncode:
                print(f"{name} could not be installed; its columns will be missing", file=sys.stderr)


def _ready(args: argparse.Namespace) -> str | None:
    """Why there is nothing to check here; installs what is missing if it was asked to."""
    from kcore_backends_cupy import CupyDevice
    from kcore_backends_cupy.availability import driver_cuda

    cuda = driver_cuda()
    if cuda is not None and args.install:
        install("cuda13" if cuda[0] >= 13 else "cuda12")
    # In a new process: what was just installed is not seen by this one.
    code = "from kcore_backends_cupy import CupyDevice as D; import sys; sys.exit(D.explain())"
    environment = {k: v for k, v in os.environ.items() if k != "KCORE_CUPY_EMULATE"}
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    if asked.returncode == 0:
        return None
    reason = asked.stderr.strip() or CupyDevice.explain()
    return f"{reason}{'' if args.install or cuda is None else '. With --install this command installs it'}"


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="install CuPy here, PyTorch and JAX beside")
    parser.add_argument("--data", help="mnist.npz, for the loss curve; else the one in kcore's cache, else the digits")
    parser.add_argument("--torch-python", help="Python of an environment with PyTorch")
    parser.add_argument("--jax-python", help="Python of an environment with JAX and Optax")
    parser.add_argument("--only", default=",".join(STEPS), help="some of: %(default)s")
    parser.add_argument("--workloads", default=",".join(WORKLOADS), help="for the step speed; some of: %(default)s")
    parser.add_argument("--target", default=str(ROOT / "benchmarks" / "gpu.md"), help="the file that is written")
    parser.add_argument("--rehearse", action="store_true", help="without a GPU, tiny; needs g++ and --target")
    args = parser.parse_args(words)
    for option, known in (("only", STEPS), ("workloads", WORKLOADS)):
        unknown = set(getattr(args, option).split(",")) - set(known)
        if unknown:
            parser.error(f"--{option} takes {', '.join(known)}; got {', '.join(sorted(unknown))}")
    if args.rehearse and Path(args.target).resolve() == ROOT / "benchmarks" / "gpu.md":
        parser.error("--rehearse needs --target, a file of its own: its figures are none")
    return args


def main(words: list[str] | None = None) -> int:
    args = parse(words)
    if not args.rehearse:
        reason = _ready(args)
        if reason is not None:
            print(f"gpu-check needs a GPU: {reason}", file=sys.stderr)
            return 2
    run = Run(args)
    steps: dict[str, Callable[[], Iterator[Check]]] = {
        "tests": run.tests, "sanitizer": run.sanitizer, "recurrent": run.recurrent, "curve": run.curve,
        "speed": run.compare_speed,
    }  # fmt: skip
    for name, (python, reason) in run.peers.items():
        print(f"{name}: {python or reason}")
    for name in args.only.split(","):
        try:
            for check in steps[name]():
                run.checks.append(check)
                run.write()
        except Exception as error:  # the other steps are worth their hours all the same
            run.checks.append(Check(name, False, f"{type(error).__name__}: {error}"))
        run.write()
    print(Path(args.target).read_text(encoding="utf-8"))
    return 0 if all(check.ok for check in run.checks) else 1


if __name__ == "__main__":
    sys.exit(main())

"""On which devices the tests of operations and layers run: `pytest --device=numpy,cupy`.

By default on NumPy, and on a GPU where there is one. `emulated` runs the GPU's kernels on the host, and `checked` looks
at each of their accesses to memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# A busy machine is not an error.
hypothesis.settings.register_profile("kcore", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("kcore")

ROOT = Path(__file__).resolve().parent
FOLDERS = ("tests/ops", "tests/backend", "tests/runtime/test_scan.py", "plugins/layers")
NAMES = ("numpy", "cupy", "emulated", "checked")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="present", help=f"devices for the tests of ops and layers, of {NAMES}")


def _devices(config: pytest.Config) -> list[str]:
    asked = config.getoption("--device")
    if asked != "present":
        chosen = asked.split(",")
        if not set(chosen) <= set(NAMES):
            raise pytest.UsageError(f"--device takes {', '.join(NAMES)}, got {asked!r}")
        return chosen
    return ["numpy", "cupy"] if _gpu() else ["numpy"]


def _gpu() -> bool:
    try:
        from kcore_backends_cupy import CupyDevice
    except ImportError:
        return False
    return CupyDevice.is_available()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    path = metafunc.definition.path.relative_to(ROOT).as_posix()
    devices = _devices(metafunc.config)
    numpy_only = metafunc.definition.get_closest_marker("numpy_only") is not None
    if path.startswith(FOLDERS) and not numpy_only and devices != ["numpy"]:
        params = [pytest.param(d, marks=pytest.mark.gpu if d == "cupy" else ()) for d in devices]
        metafunc.parametrize("_device", params, indirect=True)


_made: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def _device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The device that a test runs on; where it is not asked for several, the one that would be chosen anyway."""
    name = getattr(request, "param", None)
    if name is None:
        yield None
        return
    from kcore.runtime import devices

    if name not in _made:
        _made[name] = _make(name)
    monkeypatch.setattr(devices, "_current", _made[name])
    yield _made[name]


def _make(name: str) -> Any:
    if name == "numpy":
        from kcore.runtime.numpy_device import NumpyDevice

        return NumpyDevice()
    from kcore_backends_cupy import CupyDevice

    with pytest.MonkeyPatch.context() as patch:
        if name != "cupy":
            patch.setenv("KCORE_CUPY_EMULATE", {"emulated": "1", "checked": "check"}[name])
        return CupyDevice()

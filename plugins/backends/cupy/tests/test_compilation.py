"""Machine code is made with kcore's own options, once, and loaded from a file."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from kcore_backends_cupy import compilation
from kcore_backends_cupy.emulation.arrays import api


class FakeCupy:
    """The part of CuPy that compiles; `asked` holds what it was asked for."""

    __version__ = "14.2.0"

    def __init__(self, capability="90"):
        self.asked = []
        self.cuda = SimpleNamespace(
            compiler=SimpleNamespace(compile_using_nvrtc=self._compile),
            nvrtc=SimpleNamespace(getVersion=lambda: (13, 0)),
            Device=lambda: SimpleNamespace(compute_capability=capability),
        )

    def _compile(self, source, options=(), **more):
        assert set(more) <= set(api()["called"]["cuda.compiler.compile_using_nvrtc"])
        self.asked.append((source, options))
        return b"code of " + source.encode(), None

    def RawModule(self, *, path):
        with open(path, "rb") as file:
            return file.read()


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("KCORE_HOME", str(tmp_path / "home"))
    compilation.folder.cache_clear()
    yield tmp_path / "home" / "kernels"
    compilation.folder.cache_clear()


def test_source_is_compiled_once(folder):
    cupy = FakeCupy()
    for _ in range(2):
        assert compilation.load(cupy, "a") == b"code of a"
    assert cupy.asked == [("a", ("--std=c++17", "--fmad=false"))]  # and without CuPy's -ftz=true
    assert compilation.load(FakeCupy(), "a") == b"code of a"
    assert [path.suffix for path in folder.iterdir()] == [".cubin"]


def test_each_source_and_each_kind_of_gpu_has_a_file_of_its_own(folder):
    for code, capability in (("a", "90"), ("b", "90"), ("a", "80")):
        cupy = FakeCupy(capability)
        compilation.load(cupy, code)
        assert len(cupy.asked) == 1
    assert len(list(folder.iterdir())) == 3


def test_a_compilation_that_fails_leaves_no_file(folder):
    cupy = FakeCupy()
    cupy.cuda.compiler.compile_using_nvrtc = lambda *args, **more: 1 / 0
    with pytest.raises(ZeroDivisionError):
        compilation.load(cupy, "a")
    assert not list(folder.iterdir())

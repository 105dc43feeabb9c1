"""The choice of a device: automatic, or by name; plugins that are broken."""

import warnings

import pytest

from kcore import config
from kcore.errors import NotInstalledError, PluginWarning
from kcore.plugins import registry
from kcore.runtime import devices
from kcore.runtime.numpy_device import NumpyDevice


class Working(NumpyDevice):
    name = "working"


class Absent(NumpyDevice):
    name = "absent"

    @classmethod
    def is_available(cls):
        return False


class Unasked(NumpyDevice):
    name = "unasked"

    @classmethod
    def is_available(cls):
        raise OSError("libcuda.so.1: cannot open shared object file")


class Unmade(NumpyDevice):
    name = "unmade"

    def __init__(self):
        raise RuntimeError("no device has memory left")


@pytest.fixture
def choose(monkeypatch):
    """A fresh choice, by configuration, among NumPy and the given devices only."""

    def fresh(asked, *offered):
        monkeypatch.setenv("KCORE_BACKEND", asked)
        config.reload()
        monkeypatch.setattr(devices, "_current", None)
        known = {device.name: device for device in offered}
        registered = registry._registered["backends"]
        registered.clear()
        registered.update(known)
        monkeypatch.setattr(registry, "names", lambda kind: sorted([*known, "numpy"]))
        return devices.current_device

    before = dict(registry._registered["backends"])
    yield fresh
    monkeypatch.undo()
    registry._registered["backends"].clear()
    registry._registered["backends"].update(before)
    config.reload()


def test_numpy_where_there_is_nothing_else(choose):
    assert type(choose("auto")()) is NumpyDevice


def test_an_accelerator_that_can_run_is_taken(choose):
    assert type(choose("auto", Absent, Working)()) is Working


def test_an_accelerator_that_cannot_run_is_passed_over(choose):
    assert type(choose("auto", Absent)()) is NumpyDevice


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (Unasked, "'unasked' is installed but does not work.*OSError: libcuda.so.1.*KCORE_BACKEND=numpy"),
        (Unmade, "'unmade' is installed but does not work.*RuntimeError: no device has memory left"),
    ],
)
def test_a_broken_accelerator_is_left_out_with_one_warning(choose, broken, words):
    current = choose("auto", broken)
    with pytest.warns(PluginWarning, match=words) as told:
        device = current()
    assert len(told) == 1
    assert type(device) is NumpyDevice
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert current() is device


def test_another_accelerator_is_taken_instead_of_a_broken_one(choose):
    current = choose("auto", Unmade, Working)
    with pytest.warns(PluginWarning, match="'unmade' is installed but does not work"):
        assert type(current()) is Working


def test_the_choice_stands_where_warnings_are_errors(choose):
    current = choose("auto", Unmade)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PluginWarning):
            current()
        assert type(current()) is NumpyDevice


def test_a_broken_accelerator_that_is_asked_for_says_what_is_wrong(choose):
    with pytest.raises(RuntimeError, match="no device has memory left"):
        choose("unmade", Unmade)()


def test_numpy_that_is_asked_for_is_taken(choose):
    assert type(choose("numpy", Working)()) is NumpyDevice


def test_cupy_without_its_plugin_says_what_to_install(choose):
    if "cupy" in registry.installed().entries["backends"]:
        pytest.skip("the plugin of CuPy is installed")
    with pytest.raises(NotInstalledError, match=r'pip install "kcore\[cuda12\]"') as caught:
        choose("cupy")()
    assert caught.value.kind == "backends"
    assert caught.value.name == "cupy"


def test_an_unknown_backend_is_refused(choose):
    with pytest.raises(NotInstalledError, match="Unknown backend: 'nunpy'.*KCORE_BACKEND asks for it"):
        choose("nunpy")()


def test_an_unknown_backend_of_the_file_names_the_file(choose, monkeypatch, tmp_path):
    current = choose("")
    (tmp_path / "kcore.json").write_text('{"backend": "nunpy"}')
    monkeypatch.setenv("KCORE_HOME", str(tmp_path))
    config.reload()
    with pytest.raises(NotInstalledError, match='"backend" in kcore.json asks for it'):
        current()

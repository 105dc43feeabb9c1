"""The configuration: file, environment, what a program sets."""

from __future__ import annotations

import json
import os
import sys

import pytest

from kcore import config
from kcore.errors import ConfigError, KcoreWarning


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of its own, with a function that writes kcore.json into it."""
    monkeypatch.setenv("KCORE_HOME", str(tmp_path))
    for variable in [name for name in os.environ if name.startswith(("KCORE_PLUGINS_", "KCORE_BACKEND", "KCORE_TF32"))]:
        monkeypatch.delenv(variable)

    def write(content):
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "kcore.json").write_text(text)
        config.reload()

    config.reload()
    yield write
    monkeypatch.undo()
    config.reload()


def test_defaults(home):
    assert config.settings() == config.Settings()
    assert (config.floatx(), config.epsilon(), config.image_data_format(), config.backend()) == (
        "float32",
        1e-7,
        "channels_last",
        "auto",
    )


def test_the_file(home):
    home(
        {
            "floatx": "float64",
            "epsilon": 1e-5,
            "backend": "cupy",
            "image_data_format": "channels_first",
            "tf32": True,
            "plugins": {
                "pins": {"layers:Zebra": "Zoo_One"},
                "disabled": ["Other_Dist", "losses:Focal"],
                "allowed": ["Zoo-One"],
                "first_party_only": True,
                "strict": True,
            },
        }
    )
    settings = config.settings()
    assert (settings.floatx, settings.epsilon, settings.backend) == ("float64", 1e-5, "cupy")
    assert settings.tf32 and config.tf32()
    assert settings.plugins.pins == {"layers:Zebra": "zoo-one"}
    assert set(settings.plugins.disabled) == {"other-dist", "losses:Focal"}
    assert settings.plugins.allowed == {"zoo-one"}
    assert settings.plugins.first_party_only and settings.plugins.strict


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ([1], "a JSON object was expected"),
        ({"floatx": "float31"}, "floatx is 'float31'; expected one of float16"),
        ({"floatx": 3}, "expected one of float16"),
        ({"epsilon": 0}, "a number above 0"),
        ({"epsilon": "1e-7"}, "a number above 0"),
        ({"epsilon": True}, "a number above 0"),
        ({"backend": ""}, "the name of a backend"),
        ({"tf32": "yes"}, "tf32 is 'yes'; expected true or false"),
        ({"image_data_format": "last"}, "'channels_last' or 'channels_first'"),
        ({"plugins": 3}, "a JSON object was expected"),
        ({"plugins": {"pins": {"Zebra": "zoo"}}}, "'kind:name' with a distribution's name"),
        ({"plugins": {"pins": []}}, "plugins.pins"),
        ({"plugins": {"disabled": "zoo"}}, "a list of names"),
        ({"plugins": {"allowed": [3]}}, "a list of names"),
        ({"plugins": {"strict": 1}}, "true or false"),
    ],
)
def test_what_is_invalid_is_named(home, content, message):
    with pytest.raises(ConfigError, match=message) as caught:
        home(content)
    assert "kcore.json" in str(caught.value)


def test_an_unknown_key_is_a_warning_with_the_nearest_one(home):
    with pytest.warns(KcoreWarning, match="'float_x' is unknown and ignored. Did you mean 'floatx'"):
        home({"float_x": "float64"})
    assert config.floatx() == "float32"


def test_the_environment_goes_first(home, monkeypatch):
    monkeypatch.setenv("KCORE_BACKEND", "numpy")
    monkeypatch.setenv("KCORE_PLUGINS_PINS", "layers:A=one, layers:B=two")
    monkeypatch.setenv("KCORE_PLUGINS_DISABLED", "x")
    monkeypatch.setenv("KCORE_PLUGINS_ALLOWED", "y,z")
    monkeypatch.setenv("KCORE_PLUGINS_STRICT", "0")
    monkeypatch.setenv("KCORE_TF32", "0")
    home(
        {"backend": "cupy", "tf32": True, "plugins": {"pins": {"layers:A": "three"}, "disabled": ["w"], "strict": True}}
    )
    plugins = config.settings().plugins
    assert config.backend() == "numpy"
    assert config.tf32() is False
    assert plugins.pins == {"layers:A": "one", "layers:B": "two"}
    assert set(plugins.disabled) == {"w", "x"}
    assert plugins.allowed == {"y", "z"}
    assert plugins.strict is False


@pytest.mark.parametrize(("key", "value"), [("PINS", "layers:A"), ("PINS", "A=b"), ("STRICT", "perhaps")])
def test_an_invalid_variable_is_named(home, monkeypatch, key, value):
    monkeypatch.setenv(f"KCORE_PLUGINS_{key}", value)
    with pytest.raises(ConfigError, match=f"KCORE_PLUGINS_{key}"):
        config.reload()


def test_setting(home):
    config.set_floatx("float16")
    config.set_epsilon(1e-3)
    config.set_image_data_format("channels_first")
    assert (config.floatx(), config.epsilon(), config.image_data_format()) == (
        "float16",
        1e-3,
        "channels_first",
    )
    for setter, value in (
        (config.set_floatx, "int32"),
        (config.set_epsilon, 2),
        (config.set_image_data_format, "x"),
    ):
        with pytest.raises(ConfigError, match="expected"):
            setter(value)
    config.reload()
    assert config.floatx() == "float32"


def test_the_file_is_written_only_when_asked_for_and_keeps_the_rest(home, tmp_path):
    config.set_floatx("float64")
    assert os.listdir(tmp_path) == []
    home({"epsilon": 1e-4, "plugins": {"disabled": ["x"]}})
    config.set_floatx("float64")
    assert config.save() == tmp_path / "kcore.json"
    data = json.loads((tmp_path / "kcore.json").read_text())
    assert (data["floatx"], data["epsilon"], data["plugins"]) == ("float64", 1e-4, {"disabled": ["x"]})
    assert os.listdir(tmp_path) == ["kcore.json"]
    config.reload()
    assert config.floatx() == "float64"


def test_a_home_that_cannot_be_written(home, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KCORE_HOME", str(tmp_path / "file" / "below"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert config.reload() == config.Settings()
    fallback = config.writable_home()
    assert fallback.parent == tmp_path and fallback.is_dir()
    if sys.platform != "win32":
        assert fallback.stat().st_mode & 0o077 == 0


def test_a_fallback_that_another_user_made_is_refused(home, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KCORE_HOME", str(tmp_path / "file" / "below"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    owner = config.writable_home().stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    (tmp_path / f"kcore-{owner + 1}").mkdir()
    with pytest.raises(ConfigError, match="belongs to another user"):
        config.writable_home()

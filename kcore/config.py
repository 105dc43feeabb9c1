"""The configuration: `kcore.json`, environment variables, and what a program sets.

The file is `$KCORE_HOME/kcore.json`, or `~/.kcore/kcore.json`. It is read when a setting is first
asked for, and written only by `save()`. An example with every key, each optional:

    {
      "floatx": "float32",
      "epsilon": 1e-07,
      "backend": "auto",
      "image_data_format": "channels_last",
      "tf32": false,
      "plugins": {
        "pins": {"layers:Attention": "their-attention"},
        "disabled": ["some-distribution", "losses:focal"],
        "allowed": ["their-attention"],
        "first_party_only": false,
        "strict": false
      }
    }

Environment variables go before the file: `KCORE_BACKEND`, `KCORE_TF32` (1 or 0), `KCORE_PLUGINS_PINS`
(`layers:Attention=their-attention,...`), `KCORE_PLUGINS_DISABLED`, `KCORE_PLUGINS_ALLOWED` (lists
separated by commas), `KCORE_PLUGINS_FIRST_PARTY_ONLY` and `KCORE_PLUGINS_STRICT` (1 or 0).
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kcore.errors import ConfigError, warn

FLOATX = ("float16", "float32", "float64")
IMAGE_DATA_FORMATS = ("channels_last", "channels_first")


def normalized(distribution: str) -> str:
    """The distribution's name as package indexes compare it: `Kcore_Losses` is `kcore-losses`."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


@dataclass(frozen=True)
class PluginSettings:
    """Which plugins are used.

    Args:
        pins: 'kind:name' to the distribution that provides it.
        disabled: distributions, and 'kind:name' pairs, that are switched off; to where it says so.
        allowed: the third-party distributions that may be used; None for all.
        first_party_only: whether third-party distributions are ignored.
        strict: whether a defect of any plugin is an error at once, instead of an entry in
            `kcore plugins list`.
    """

    pins: Mapping[str, str] = field(default_factory=dict)
    disabled: Mapping[str, str] = field(default_factory=dict)
    allowed: frozenset[str] | None = None
    first_party_only: bool = False
    strict: bool = False


@dataclass(frozen=True)
class Settings:
    """Everything the configuration says; see the module's docstring for the meaning."""

    floatx: str = "float32"
    epsilon: float = 1e-7
    backend: str = "auto"
    image_data_format: str = "channels_last"
    tf32: bool = False
    plugins: PluginSettings = field(default_factory=PluginSettings)


_lock = threading.RLock()
_settings: Settings | None = None


# --- where ---------------------------------------------------------------------------------------


def home() -> Path:
    """The folder of `kcore.json`, downloaded data sets and weights: `$KCORE_HOME` or `~/.kcore`.

    It may not exist; `writable_home` makes one that does.
    """
    return Path(os.environ.get("KCORE_HOME") or Path("~/.kcore").expanduser())


def writable_home() -> Path:
    """`home()`, made where it is missing; where it cannot be written, a private temporary folder."""
    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass  # a read-only or missing home is ordinary in containers: fall back
    return _temporary_home()


def _temporary_home() -> Path:
    import tempfile

    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = Path(tempfile.gettempdir()) / f"kcore-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    # The name can be guessed, so that another user of the machine could have made it first.
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        raise ConfigError(
            f"{home()} cannot be written and {folder} belongs to another user: set KCORE_HOME to a folder of your own.",
            path=str(folder),
        )
    return folder


def path() -> Path:
    """Where `kcore.json` is read from and written to."""
    return home() / "kcore.json"


# --- reading -------------------------------------------------------------------------------------


def settings() -> Settings:
    """The settings in force, read from file and environment at the first call.

    Raises:
        ConfigError: a key's value is invalid, or the file is not JSON.
    """
    global _settings
    if _settings is None:
        with _lock:
            if _settings is None:
                _settings = _with_environment(_from_file(path()))
    return _settings


def reload() -> Settings:
    """Forgets what the program has set and reads file and environment again."""
    global _settings
    with _lock:
        _settings = None
        return settings()


def _from_file(file: Path) -> Settings:
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}", path=str(file)) from error
    import json  # most people have no file: they need not wait for it

    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{file} is not valid JSON: {error}. Correct or delete it.", path=str(file)) from error
    data = _section(data, str(file), "the file")
    plugins = data.pop("plugins", {})
    known = _checked(data, _GENERAL, str(file), prefix="")
    chosen = _checked(_section(plugins, str(file), "'plugins'"), _PLUGINS, str(file), prefix="plugins.")
    return Settings(**known, plugins=PluginSettings(**chosen))


def _section(data: Any, where: str, what: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: {what} holds {data!r}; a JSON object was expected.", path=where)
    return dict(data)


def _checked(
    data: dict[str, Any], checks: Mapping[str, Callable[[Any, str, str], Any]], where: str, prefix: str
) -> dict[str, Any]:
    values = {}
    for key, value in data.items():
        if key not in checks:
            import difflib

            near = difflib.get_close_matches(key, checks, 1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known keys: {', '.join(checks)}."
            message = f"{where}: the key {prefix + key!r} is unknown and ignored.{hint}"
            warn(message)
            continue
        values[key] = checks[key](value, where, prefix + key)
    return values


def _with_environment(base: Settings) -> Settings:
    env = os.environ
    plugins = base.plugins
    if pins := env.get("KCORE_PLUGINS_PINS"):
        pairs = dict(_pair(item) for item in _items(pins))
        plugins = replace(plugins, pins={**plugins.pins, **_pins(pairs, "KCORE_PLUGINS_PINS", "value")})
    if disabled := env.get("KCORE_PLUGINS_DISABLED"):
        off = _disabled(_items(disabled), "KCORE_PLUGINS_DISABLED", "value")
        plugins = replace(plugins, disabled={**plugins.disabled, **off})
    if allowed := env.get("KCORE_PLUGINS_ALLOWED"):
        plugins = replace(plugins, allowed=_allowed(_items(allowed), "KCORE_PLUGINS_ALLOWED", "value"))
    for key in ("first_party_only", "strict"):
        variable = f"KCORE_PLUGINS_{key.upper()}"
        if text := env.get(variable):
            switched: dict[str, Any] = {key: _switch(text, variable)}
            plugins = replace(plugins, **switched)
    result = replace(base, plugins=plugins)
    if tf32 := env.get("KCORE_TF32"):
        result = replace(result, tf32=_switch(tf32, "KCORE_TF32"))
    if backend := env.get("KCORE_BACKEND"):
        result = replace(result, backend=_backend(backend, "KCORE_BACKEND", "backend"))
    return result


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _pair(item: str) -> tuple[str, str]:
    key, separator, value = item.partition("=")
    if not separator:
        raise ConfigError(
            f"KCORE_PLUGINS_PINS holds {item!r}; expected kind:name=distribution, "
            "such as layers:Attention=their-attention.",
            key="KCORE_PLUGINS_PINS",
            value=item,
        )
    return key.strip(), value.strip()


# --- one check for each key ------------------------------------------------------------------------


def _invalid(value: Any, where: str, key: str, expected: str) -> ConfigError:
    return ConfigError(f"{where}: {key} is {value!r}; expected {expected}.", path=where, key=key, value=value)


def _floatx(value: Any, where: str, key: str) -> str:
    if value not in FLOATX:
        raise _invalid(value, where, key, "one of " + ", ".join(FLOATX))
    return str(value)


def _epsilon(value: Any, where: str, key: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if isinstance(value, (bool, str)) or not 0 < number < 1:
        raise _invalid(value, where, key, "a number above 0 and below 1, such as 1e-07")
    return number


def _backend(value: Any, where: str, key: str) -> str:
    if not isinstance(value, str) or not value:
        raise _invalid(value, where, key, "'auto' or the name of a backend, such as 'numpy' or 'cupy'")
    return value


def _image_data_format(value: Any, where: str, key: str) -> str:
    if value not in IMAGE_DATA_FORMATS:
        raise _invalid(value, where, key, "'channels_last' or 'channels_first'")
    return str(value)


def _pins(value: Any, where: str, key: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _invalid(value, where, key, "an object such as {'layers:Attention': 'their-attention'}")
    for name, distribution in value.items():
        if not _is_kind_and_name(name) or not isinstance(distribution, str) or not distribution:
            raise _invalid({name: distribution}, where, key, "'kind:name' with a distribution's name")
    return {name: normalized(distribution) for name, distribution in value.items()}


def _is_kind_and_name(text: Any) -> bool:
    return isinstance(text, str) and all(text.partition(":")[::2])


def _names(value: Any, where: str, key: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise _invalid(value, where, key, "a list of names")
    return value


def _disabled(value: Any, where: str, key: str) -> dict[str, str]:
    # A 'kind:name' pair keeps its spelling; a distribution is compared as package indexes do.
    names = _names(value, where, key)
    return {name if ":" in name else normalized(name): where for name in names}


def _allowed(value: Any, where: str, key: str) -> frozenset[str] | None:
    return None if value is None else frozenset(map(normalized, _names(value, where, key)))


def _boolean(value: Any, where: str, key: str) -> bool:
    if not isinstance(value, bool):
        raise _invalid(value, where, key, "true or false")
    return value


def _switch(text: str, variable: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in known:
        raise _invalid(text, "environment", variable, "1 or 0")
    return known[text.lower()]


_GENERAL = {
    "floatx": _floatx,
    "epsilon": _epsilon,
    "backend": _backend,
    "image_data_format": _image_data_format,
    "tf32": _boolean,
}
_PLUGINS = {
    "pins": _pins,
    "disabled": _disabled,
    "allowed": _allowed,
    "first_party_only": _boolean,
    "strict": _boolean,
}


# --- getting, setting, saving ------------------------------------------------------------------------


def _change(key: str, value: Any) -> None:
    global _settings
    with _lock:
        changed: dict[str, Any] = {key: _GENERAL[key](value, f"set_{key}", key)}
        _settings = replace(settings(), **changed)


def floatx() -> str:
    """The default dtype of weights and activations: 'float16', 'float32' or 'float64'."""
    return settings().floatx


def set_floatx(floatx: str) -> None:
    """Sets the default dtype: 'float16', 'float32' or 'float64'; anything else is a ConfigError."""
    _change("floatx", floatx)


def epsilon() -> float:
    """The small number that keeps divisions and logarithms finite; 1e-07 by default."""
    return settings().epsilon


def set_epsilon(epsilon: float) -> None:
    """Sets the number that `epsilon()` returns; above 0 and below 1, else a ConfigError."""
    _change("epsilon", epsilon)


def image_data_format() -> str:
    """'channels_last' (`(rows, cols, channels)`, the default) or 'channels_first'."""
    return settings().image_data_format


def set_image_data_format(data_format: str) -> None:
    """Sets the default layout of images; anything but the two names is a ConfigError."""
    _change("image_data_format", data_format)


def tf32() -> bool:
    """Whether a GPU may compute float32 products and convolutions in TF32: ten bits of mantissa, many times faster."""
    return settings().tf32


def backend() -> str:
    """The backend that is asked for: 'auto' or a name. `K.backend()` tells which one is used."""
    return settings().backend


def save() -> Path:
    """Writes the general settings in force (not the plugin section) to `kcore.json`, atomically.

    What else the file holds is kept. Returns the path.
    """
    import json
    import tempfile

    file = writable_home() / "kcore.json"
    data: dict[str, Any] = {}
    if file.exists():
        data = _section(json.loads(file.read_text(encoding="utf-8")), str(file), "the file")
    data.update({key: getattr(settings(), key) for key in _GENERAL})
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".kcore-", suffix=".json")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(json.dumps(data, indent=2) + "\n")
        os.replace(temporary, file)
    except BaseException:
        os.unlink(temporary)
        raise
    return file

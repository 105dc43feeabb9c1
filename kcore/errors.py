"""Every exception that kcore raises on purpose.

Each class also inherits the builtin exception that Keras 2 raises in the same place (mostly
`ValueError`), so that existing `except` clauses keep working. The first argument is the whole
message; keyword arguments become attributes of the exception, so that a program can read what a
person reads:

    raise ShapeError(f"cannot add {a} and {b}", shapes=(a, b), op="add")

A message says what was given, what was expected, and what to do.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from typing import Any

from kcore.origin import origin_of, user_frame


class KcoreError(Exception):
    """Base of all exceptions of kcore.

    Args:
        message: the text a user reads.
        info: attributes of the exception. The names a class uses are annotated in its body; each
            is None where the place that raised the exception did not know it.

    Attributes:
        layer: name of the layer that the error is about, or None.
    """

    layer: str | None = None

    def __init__(self, message: str = "", **info: Any) -> None:
        super().__init__(message)
        for key, value in info.items():
            setattr(self, key, value)

    def say_layer(self, name: str, kind: str) -> None:
        """Put the layer that the error is about in front of the message, unless a layer was said already.

        Args:
            name: the layer's name, such as "conv2d_1"; a message that has it is left as it is.
            kind: the layer's class, such as "Conv2D".
        """
        if self.layer is not None:
            return
        self.layer = name
        message = str(self)
        if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", message):
            self.args = (f"layer {name} ({kind}): {message}", *self.args[1:])

    def say_source(self, name: str) -> None:
        """Put what was read (a file) in front of the message, unless the message has it.

        Args:
            name: a path, or what stands for it.
        """
        message = str(self)
        if name not in message:
            self.args = (f"{name}: {message}", *self.args[1:])

    @property
    def line(self) -> str | None:
        """The user's line: the one that made the failing operation, else the one whose call raised the exception."""
        given: str | None = self.__dict__.get("_line")
        if given is not None:
            return given
        origin = origin_of(self)
        return None if origin is None else str(origin)

    @line.setter
    def line(self, line: str | None) -> None:
        self._line = line


class KcoreWarning(UserWarning):
    """Base of all warnings of kcore."""


def warn(message: str, category: type[Warning] = KcoreWarning) -> None:
    """Warn at the user's line: the innermost one outside kcore and its plugins.

    Args:
        message: what was found, what follows from it, and what to do.
        category: class of the warning.
    """
    frame = user_frame()
    if frame is None:  # a thread of kcore's own
        warnings.warn(message, category, stacklevel=2)
        return
    names = frame.f_globals
    # As `warnings.warn` does, so that the filters "default", "once" and "module" tell one place once.
    registry = names.setdefault("__warningregistry__", {})
    module = names.get("__name__") or "<unknown>"
    # Without the module's globals: Python would ask their loader for the line, and that of a prompt, or of
    # `python -c`, raises an ImportError instead of answering None.
    warnings.warn_explicit(message, category, frame.f_code.co_filename, frame.f_lineno, module, registry)


def nearest(name: str, known: Iterable[str], count: int) -> tuple[str, ...]:
    """The names most like `name`, the likeliest first; for messages.

    Args:
        name: what somebody wrote.
        known: what there is.
        count: how many at most.
    """
    import difflib  # needed only when something is wrong

    lower: dict[str, str] = {}
    for other in known:
        lower.setdefault(other.lower(), other)
    near = difflib.get_close_matches(name.lower(), lower, count)
    if len(name) > 2:  # what somebody began to write
        near += [other for other in lower if other.startswith(name.lower()) and other not in near]
    return tuple(lower[other] for other in near[:count])


# --- tensors, graphs and their execution -------------------------------------------------------


class ShapeError(KcoreError, ValueError):
    """A tensor, array or argument has a shape that does not fit."""

    shapes: Any = None
    op: str | None = None


class DTypeError(KcoreError, TypeError, ValueError):
    """A tensor, array or argument has a dtype that does not fit."""

    dtypes: Any = None
    op: str | None = None


class GraphError(KcoreError, ValueError):
    """A graph cannot be built or compiled: unknown op, disconnected input, missing placeholder."""

    op: str | None = None


class GradientError(GraphError):
    """A gradient was asked for where none is defined."""


class ExecutionError(KcoreError, RuntimeError):
    """A compiled function failed while running; `line` is the user's line that made the op."""

    op: str | None = None
    shapes: Any = None
    cause: BaseException | None = None


class DeviceError(KcoreError, RuntimeError):
    """A device is missing, cannot be used, or lacks a kernel."""

    device: str | None = None


# --- layers, models and data -------------------------------------------------------------------


class DataError(KcoreError, ValueError):
    """Data given to fit, evaluate or predict do not fit the model."""

    argument: str | None = None


class LabelError(DataError, IndexError):
    """A class number is negative, or not below the number of classes."""


class WorkerError(KcoreError, RuntimeError):
    """A worker process that prepares batches died, or raised something that cannot be sent."""

    exitcode: int | None = None


class NotBuiltError(KcoreError, RuntimeError, ValueError):
    """A layer or model was used before its weights existed."""


class ArgumentError(KcoreError, TypeError, ValueError):
    """A layer, model or function was given an argument that it does not have, or of a kind it cannot use."""


class NoAttributeError(KcoreError, AttributeError):
    """`model.fti`: an object has no such attribute; the message says which was meant."""

    def __init__(self, owner: object, name: str) -> None:
        super().__init__(f"{type(owner).__name__!r} object has no attribute {name!r}", name=name)
        self.obj = None  # Python itself would suggest one too
        self._known = type(owner)

    def __str__(self) -> str:
        # Only where it is read: `hasattr` asks often.
        near = nearest(str(self.name), [known for known in dir(self._known) if not known.startswith("_")], 1)
        return super().__str__() + (f". Did you mean '{near[0]}'?" if near else "")


class MaskingError(KcoreError, TypeError):
    """A mask reached a layer that does not know what to do with one."""


class NotCompiledError(KcoreError, RuntimeError):
    """A model was trained or evaluated before `compile`."""


class NotConnectedError(KcoreError, AttributeError, RuntimeError):
    """`layer.input`, `layer.output` and the like of a layer with no call, or with several."""


class SavedModelError(KcoreError, ValueError):
    """A saved model, or weights file, is damaged, hostile, or does not fit the model."""

    path: str | None = None


class DamagedFileError(SavedModelError, OSError):
    """A file cannot be read as what it should be; Keras raises the OSError of its HDF5 library there."""


class WeightsMismatchError(SavedModelError):
    """The weights that a file has for a layer are not those of the model's layer."""


class OverwriteError(KcoreError, FileExistsError, EOFError):
    """A file exists, and whether it may be replaced cannot be asked: nobody can answer."""

    path: str | None = None


class UnsafeModelError(SavedModelError):
    """A saved model contains code (a `Lambda`'s bytecode) that the caller did not allow."""


class DownloadError(KcoreError, OSError):
    """A file could not be fetched, or is not the file whose hash was promised."""

    url: str | None = None
    path: str | None = None


class ArchiveError(KcoreError, ValueError, OSError):
    """An archive is damaged, or a member of it would be written outside its folder."""

    path: str | None = None
    member: str | None = None


class CompatError(KcoreError, ImportError):
    """`keras` cannot stand for kcore: Keras itself is imported already."""


class PlotPackageError(KcoreError, ImportError):
    """A picture cannot be drawn: a Python package for it is not installed."""


class PlotProgramError(KcoreError, OSError):
    """A picture cannot be drawn: Graphviz is not installed, or failed."""


# --- configuration -----------------------------------------------------------------------------


class ConfigError(KcoreError, ValueError):
    """The configuration file, or an environment variable, holds something invalid."""

    path: str | None = None
    key: str | None = None
    value: Any = None


# --- plugins -----------------------------------------------------------------------------------


class PluginWarning(KcoreWarning):
    """Something about an installed plugin that does not stop the program."""


class PluginError(KcoreError):
    """Base of what goes wrong with plugins.

    Attributes:
        kind: the kind looked for: 'layers', 'losses', 'datasets', ...
        name: the public name looked for, such as 'LSTM'.
        distribution: the distribution concerned, such as 'kcore-layers-recurrent'.
        version: its version.
    """

    kind: str | None = None
    name: Any = None
    distribution: str | None = None
    version: str | None = None


class NotInstalledError(PluginError, ValueError):
    """No installed and enabled plugin offers the name.

    This form, a `ValueError`, answers a look-up by string (`optimizer='adm'`). The doors raise
    the two forms below, which suit `kcore.layers.Dense` and `from kcore.layers import Dense`.

    Attributes:
        distribution: the first-party distribution that has the name, or None if kcore knows none.
        nearest: tuple of installed names that look alike.
    """

    nearest: tuple[str, ...] = ()

    def for_attribute(self) -> NotInstalledAttributeError:
        """The same error as an `AttributeError`, so that `hasattr` answers False."""
        return NotInstalledAttributeError(str(self), **vars(self))

    def for_import(self) -> NotInstalledImportError:
        """The same error as an `ImportError`, for import statements."""
        return NotInstalledImportError(str(self), **vars(self))


class NotInstalledAttributeError(NotInstalledError, AttributeError):
    """`kcore.layers.Dense` where no plugin offers `Dense`."""


class NotInstalledImportError(NotInstalledError, ModuleNotFoundError):
    """`from kcore.layers import Dense` or `import kcore.datasets.mnist` where no plugin offers it."""


class PluginDisabledError(NotInstalledError):
    """The plugin that offers the name is installed, but switched off by the configuration.

    Attributes:
        reason: where it was switched off, such as "KCORE_PLUGINS_DISABLED" or a file.
    """

    reason: str | None = None

    def for_attribute(self) -> PluginDisabledAttributeError:
        return PluginDisabledAttributeError(str(self), **vars(self))

    def for_import(self) -> PluginDisabledImportError:
        return PluginDisabledImportError(str(self), **vars(self))


class PluginDisabledAttributeError(PluginDisabledError, NotInstalledAttributeError):
    """`kcore.layers.X` where the plugin that offers `X` is switched off."""


class PluginDisabledImportError(PluginDisabledError, NotInstalledImportError):
    """`from kcore.layers import X` where the plugin that offers `X` is switched off."""


class PluginConflictError(PluginError, ImportError, ValueError):
    """Several distributions offer one name, none of them first-party, and no pin decides.

    Attributes:
        candidates: tuple of the names that choose one each, such as 'dist-a:Name'.
    """

    candidates: tuple[str, ...] = ()


class PluginLoadError(PluginError, ImportError):
    """A plugin's import failed; every other plugin keeps working.

    Attributes:
        value: what the entry point names, such as 'kcore_layers_recurrent:LSTM'.
        cause: the exception that the import raised (also `__cause__`).
    """

    value: str | None = None
    cause: BaseException | None = None


class PluginVersionError(PluginError, ImportError):
    """A plugin was written for a plugin API that this core does not speak.

    Attributes:
        wanted: the plugin API version that the plugin states.
        spoken: the plugin API version of this core.
    """

    wanted: str | None = None
    spoken: str | None = None

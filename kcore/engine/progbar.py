"""`Progbar`: progress on a terminal, in a notebook, and in a log file."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

_MIN_WIDTH = 5


class Progbar:
    """Shows how far a piece of work is, with averages of named values.

    On a terminal and in a notebook one line is redrawn in place. In a file or a pipe, where a carriage
    return would leave a heap of half lines, only the finished line is written. Nothing is formatted
    more often than each `interval`.

    Args:
        target: total number of units of work; None where it is not known.
        width: characters of the bar.
        verbose: 0 silent, 1 a bar, 2 one line when the work is finished.
        interval: least number of seconds between two redraws.
        stateful_metrics: names of values that are shown as given; all others are averaged over the units.

    Attributes:
        live: whether the line is redrawn in place.

    Example:
        >>> bar = Progbar(3, verbose=0)
        >>> for step in range(3):
        ...     bar.add(1, [("loss", 0.5)])
    """

    def __init__(
        self,
        target: int | None,
        width: int = 30,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
    ) -> None:
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.stateful_metrics = frozenset(stateful_metrics or ())
        self.seen_so_far = 0
        self._stream: TextIO | None = sys.stdout
        self.live = verbose == 1 and redraws_in_place(self._stream)
        self._totals: dict[str, list[Any]] = {}  # name -> [sum, units], or the value as it is
        self._drawn = 0  # length of the line on the screen
        self._start = time.perf_counter()
        self._next_draw = self._start

    def update(self, current: int, values: Sequence[tuple[str, Any]] | None = None) -> None:
        """Say that `current` units are done.

        Args:
            current: number of units done so far.
            values: pairs of a name and its value over the units since the last call.
        """
        units = max(current - self.seen_so_far, 1)
        self.seen_so_far = current
        if self.verbose == 0:
            return
        totals = self._totals
        for name, value in values or ():
            entry = totals.get(name)
            if name in self.stateful_metrics or not _is_number(value):
                totals[name] = [value, 0]
            elif entry is None:
                totals[name] = [value * units, units]
            else:
                entry[0] += value * units
                entry[1] += units
        if self.target is not None and current >= self.target:
            self.finish()
        elif self.due():
            self._draw()

    def add(self, n: int, values: Sequence[tuple[str, Any]] | None = None) -> None:
        """Say that `n` more units are done."""
        self.update(self.seen_so_far + n, values)

    def due(self) -> bool:
        """Whether the bar is redrawn, and the interval since the last time is over."""
        return self.live and time.perf_counter() >= self._next_draw

    def show(self, current: int, values: Sequence[tuple[str, Any]]) -> None:
        """Redraw at once, with `current` units done and `values` as they are, instead of averages."""
        self._put(current, values)
        if self.live:
            self._draw()

    def finish(self, current: int | None = None, values: Sequence[tuple[str, Any]] = ()) -> None:
        """Write the last line; arguments as for `show`, if given."""
        if self.verbose == 0:
            return
        self._put(self.seen_so_far if current is None else current, values)
        took = time.perf_counter() - self._start
        if self.verbose == 1:
            line = f"{self._bar(self.width)} - {_took(took, self.seen_so_far)}{self._values()}"
        else:
            line = f" - {took:.0f}s{self._values()}"
        self._write(self._over(line) if self.live else line, end="\n")
        self._drawn = 0

    def _put(self, current: int, values: Sequence[tuple[str, Any]]) -> None:
        self.seen_so_far = current
        for name, value in values:
            self._totals[name] = [value, 0]

    # -- drawing -----------------------------------------------------------------------------------------
    def _draw(self) -> None:
        now = time.perf_counter()
        self._next_draw = now + self.interval
        took = now - self._start
        left = ""
        if self.target is None:
            left = f" - {_took(took, self.seen_so_far)}"
        elif self.seen_so_far:
            left = f" - ETA: {_clock(took / self.seen_so_far * (self.target - self.seen_so_far))}"
        rest = left + self._values()
        columns = shutil.get_terminal_size().columns - 1
        bare = len(self._bar(0)) + len(rest)
        width = self.width if bare + self.width <= columns else max(_MIN_WIDTH, columns - bare)
        # A line that wraps cannot be redrawn: cut it to the terminal.
        self._write(self._over(f"{self._bar(width)}{rest}"[:columns]))

    def _over(self, line: str) -> str:
        """The text that puts `line` in place of the one on the screen."""
        text = "\r" + line.ljust(self._drawn) if self._drawn else line
        self._drawn = len(line)
        return text

    def _bar(self, width: int) -> str:
        if self.target is None:
            return f"{self.seen_so_far:7d}/Unknown"
        digits = len(str(self.target))
        done = min(width, int(width * self.seen_so_far / self.target)) if self.target else width
        bar = "=" * done if done == width else "=" * max(0, done - 1) + ">" + "." * (width - max(1, done))
        return f"{self.seen_so_far:{digits}d}/{self.target} [{bar}]"

    def _values(self) -> str:
        text = ""
        for name, (total, units) in self._totals.items():
            value = total / units if units else total
            text += f" - {name}: {format_value(value)}"
        return text

    def _write(self, text: str, end: str = "") -> None:
        if self._stream is None:  # a program without a console
            return
        self._stream.write(text + end)
        self._stream.flush()


def redraws_in_place(stream: Any) -> bool:
    """Whether a carriage return on `stream` goes back to the start of the line, as on a terminal."""
    if stream is None:
        return False
    if type(stream).__module__.startswith(("ipykernel", "IPython", "google.colab")):
        return True
    return bool(getattr(stream, "isatty", lambda: False)())


def format_value(value: Any) -> str:
    """A metric for people: four decimals, an exponent where these would show nothing."""
    if not _is_number(value):
        return str(value)
    return f"{value:.4f}" if abs(value) > 1e-3 or value == 0 else f"{value:.4e}"


def _is_number(value: Any) -> bool:
    return type(value) is float or (hasattr(value, "__float__") and not getattr(value, "shape", ()))


def _clock(seconds: float) -> str:
    if seconds > 3600:
        return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d}:{int(seconds % 60):02d}"
    if seconds > 60:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
    return f"{int(seconds)}s"


def _took(seconds: float, units: int) -> str:
    each = seconds / units if units else 0.0
    if each >= 1 or each == 0:
        rate = f"{each:.0f}s"
    elif each >= 1e-3:
        rate = f"{each * 1e3:.0f}ms"
    else:
        rate = f"{each * 1e6:.0f}us"
    return f"{seconds:.0f}s {rate}/step"

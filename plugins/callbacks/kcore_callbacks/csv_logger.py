"""Logging to a table file (manual 11.1.12)."""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
from collections.abc import Iterable
from typing import Any

from kcore.callbacks import Callback
from kcore.errors import ArgumentError

Logs = dict[str, Any]


class CSVLogger(Callback):
    """Writes one line an epoch to a CSV file: the number of the epoch, from 0, and its logs.

    Values that are sequences are written as `"[a, b, c]"`, values that an epoch does not have as `NA`. A key that
    appears late gets a column behind the others, with `NA` in the lines before it. The file is complete after each
    epoch, however training ends.

    Args:
        filename: of the CSV file.
        separator: between the values of a line.
        append: whether to go on at the end of an existing file, whose columns come first, instead of overwriting it.

    Example:
        >>> model.fit(x_train, y_train, callbacks=[CSVLogger("training.log")])
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = os.fspath(filename)
        if not isinstance(separator, str) or len(separator) != 1:
            raise ArgumentError(f"`separator` of CSVLogger must be one character. Received: {separator!r:.200}")
        self.sep = separator
        self.append = append
        self.keys: list[str] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.keys = self._columns_in_file() if self.append else None
        if not self.append:
            with open(self.filename, "w", encoding="utf-8"):
                pass  # emptied, and known to be writable, before the first epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        rows = []
        if self.keys is None:
            self.keys = sorted(logs)
            rows.append(["epoch", *self.keys])
        elif late := sorted(logs.keys() - set(self.keys)):
            self.keys += late
            self._add_columns(late)
        rows.append([str(epoch), *(_text(logs[key]) if key in logs else "NA" for key in self.keys)])
        with open(self.filename, "a", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=self.sep).writerows(rows)

    def _add_columns(self, keys: list[str]) -> None:
        """Writes the file anew with further columns, beside it, and puts it in place in one step."""
        with open(self.filename, newline="", encoding="utf-8") as file:
            header, *lines = csv.reader(file, delimiter=self.sep)
        target = os.path.realpath(self.filename)
        aside = f"{target}.new"
        try:
            with open(aside, "w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, delimiter=self.sep)
                writer.writerow(header + keys)
                writer.writerows(line + ["NA"] * (len(header) - len(line) + len(keys)) for line in lines)
            shutil.copymode(target, aside)
            os.replace(aside, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(aside)

    def _columns_in_file(self) -> list[str] | None:
        """The columns after the epoch of the existing file; None where there is none, or it is empty."""
        if not os.path.exists(self.filename):
            return None
        with open(self.filename, newline="", encoding="utf-8") as file:
            header = next(csv.reader(file, delimiter=self.sep), None)
        return header[1:] if header else None


def _text(value: Any) -> str:
    if isinstance(value, Iterable) and not isinstance(value, str) and getattr(value, "ndim", 1) != 0:
        return f'"[{", ".join(map(str, value))}]"'
    return str(value)

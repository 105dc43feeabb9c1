"""`get_session`: for scripts that evaluate tensors through a TensorFlow-like session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcore.errors import ArgumentError
from kcore.graph import Tensor
from kcore.runtime.function import Function
from kcore.runtime.variable import Variable

__all__ = ["Session", "get_session"]


class Session:
    """Computes tensors. There is one way of execution in kcore, and it needs no session: this one holds nothing."""

    def run(self, fetches: Any, feed_dict: Mapping[Tensor, Any] | None = None) -> Any:
        """The values of `fetches`.

        Args:
            fetches: a tensor, or a (nested) list, tuple or dict of tensors and updates (which are carried out).
            feed_dict: the values of placeholders.

        Returns:
            NumPy arrays, nested as `fetches`; None for updates.
        """
        tensors: list[Tensor] = []
        updates: list[tuple[Variable, Tensor]] = []
        layout = self._collect(fetches, tensors, updates)
        fed = dict(feed_dict or {})
        values = Function(list(fed), tensors, updates, "session.run")(list(fed.values()))
        return self._fill(layout, values)

    def _collect(self, item: Any, tensors: list[Tensor], updates: list[tuple[Variable, Tensor]]) -> Any:
        """`item` with each tensor replaced by its position in `tensors`, and each update by None."""
        if isinstance(item, Tensor):
            tensors.append(item)
            return len(tensors) - 1
        if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], Variable):
            updates.append(item)
            return None
        if isinstance(item, dict):
            return {key: self._collect(value, tensors, updates) for key, value in item.items()}
        if isinstance(item, (list, tuple)):
            return type(item)(self._collect(value, tensors, updates) for value in item)
        raise ArgumentError(f"cannot fetch {item!r}: expected a tensor, an update, or a list of them")

    def _fill(self, layout: Any, values: list[Any]) -> Any:
        if isinstance(layout, int):
            return values[layout]
        if isinstance(layout, dict):
            return {key: self._fill(item, values) for key, item in layout.items()}
        if isinstance(layout, (list, tuple)):
            return type(layout)(self._fill(item, values) for item in layout)
        return None

    def close(self) -> None:
        """Nothing to do."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()


_session = Session()


def get_session() -> Session:
    """The session, for ``K.get_session().run(tensor, feed_dict={placeholder: value})``."""
    return _session

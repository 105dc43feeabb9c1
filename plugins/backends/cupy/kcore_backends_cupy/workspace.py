"""Working memory for libraries: one block for each GPU, shared by all plans.

A library's call is one piece of work on the device's stream, whether it is launched or replayed, and everything on a
stream happens in order: so no two calls use the block at once. (What two launches hand on to each other through memory
is a plan's own, `ctx.scratch`: another thread's launches may come between them.)
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

_lock = threading.Lock()
_blocks: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


def workspace(device: Any, nbytes: int) -> Any:
    """At least `nbytes` bytes of a device, of any content; calls that were given a smaller block keep that alive."""
    with _lock:
        block = _blocks.get(device)
        if block is None or block.size < nbytes:
            block = _blocks[device] = device.empty((max(nbytes, 1),), "uint8")
        return block

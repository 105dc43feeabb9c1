"""Work beside a loop over time steps: one core runs the steps, another the large products.

Steps depend on each other and their products are small. Letting BLAS split each of them over threads means one meeting
of threads per product, which costs as much as it gains, and 40 times as much as soon as another process holds a core.
The input product and the products that give weight and input gradients are large and wait for nobody, or only for
some steps: they are cut into pieces that a second thread works on while the first goes through the steps. Whatever the
second thread has not begun when it is needed, the first does itself; so nothing ever waits for a thread that does not
run. Every piece writes memory of its own, and sums are made in a fixed order: results do not depend on who did what.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from kcore.runtime import blas, parallel
from kcore.runtime.numpy_kernels.recurrent_gates import Call, run_all

WORTH_A_THREAD = 1 << 26
"""Floating-point operations in all pieces from which on a second thread is woken. Waking it, and its taking turns with
the first in the interpreter, takes some tenths of a millisecond; this many operations take one core a millisecond."""


class Side:
    """Pieces of work, taken in order by whichever thread is free.

    Args:
        pieces: the calls of each piece.
        offered: how many pieces can be done from the start; `offer` releases the others.
        beside: whether a second thread is worth it.
        blas_threads: whether BLAS may use all threads for each product (then nothing runs beside).
    """

    def __init__(self, pieces: Sequence[list[Call]], offered: int, beside: bool, blas_threads: bool):
        self._pieces = list(pieces)
        self._offered_at_start = offered
        self._beside = beside
        self._blas_threads = blas_threads
        self._changed = threading.Condition()
        self._restart()

    def _restart(self) -> None:
        self._next = 0
        self._offered = self._offered_at_start
        self._done = [False] * len(self._pieces)
        self._failed = False

    def run(self, steps: list[Call]) -> None:
        """Execute the calls of all steps, and all pieces."""
        self._restart()
        if self._blas_threads:
            self._go_through(steps)
        elif self._beside and parallel.thread_count() > 1:
            roles = (lambda: self._go_through(steps), self._help)
            parallel.parallel_blocks(lambda _worker, role: roles[role](), len(roles))
        else:
            with blas.single_thread():
                self._go_through(steps)

    def offer(self, count: int) -> None:
        """Allow the next `count` pieces to be done."""
        with self._changed:
            self._offered += count
            self._changed.notify()

    def need(self, piece: int) -> None:
        """Return when pieces 0 to `piece` are done: do those that nobody has taken."""
        while self._take_up_to(piece):
            pass
        with self._changed:
            self._changed.wait_for(lambda: self._failed or all(self._done[: piece + 1]))

    def _take_up_to(self, piece: int) -> bool:
        with self._changed:
            mine = self._next
            if mine > piece:
                return False
            self._next += 1
        self._do(mine)
        return True

    def _do(self, piece: int) -> None:
        run_all(self._pieces[piece])
        with self._changed:
            self._done[piece] = True
            self._changed.notify()

    def _go_through(self, steps: list[Call]) -> None:
        try:
            run_all(steps)
            self.need(len(self._pieces) - 1)
        except BaseException:
            self._fail()
            raise

    def _help(self) -> None:
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(self._can_take_or_end)
                    if self._failed or self._next == len(self._pieces):
                        return
                    mine = self._next
                    self._next += 1
                self._do(mine)
        except BaseException:
            self._fail()
            raise

    def _can_take_or_end(self) -> bool:
        return self._failed or self._next == len(self._pieces) or self._next < self._offered

    def _fail(self) -> None:
        """Let the other thread end too; the error is raised by the parallel section."""
        with self._changed:
            self._failed = True
            self._changed.notify()

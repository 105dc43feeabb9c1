"""Stands for `keras` in processes that a script under `kcore run` spawns; see `kcore.compat`."""

from kcore.compat import install

install()

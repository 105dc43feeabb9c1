"""`kcore run script.py`: runs a script written for Keras 2, with `import keras` meaning kcore."""

from __future__ import annotations

import argparse

from kcore import compat

HELP = "run a script written for Keras 2: in it `import keras` means kcore"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("script", help="the Python file")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what the script gets in sys.argv")


def run(args: argparse.Namespace) -> int:
    """Runs the command; the exit status is that of the script."""
    return compat.main(args.script, args.arguments)

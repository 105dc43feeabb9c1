"""`kcore run script.py`: runs a script written for Keras 2, with `import keras` meaning kcore."""

from __future__ import annotations

import argparse
import os
import sys
import traceback

from kcore import compat

HELP = "run a script written for Keras 2: in it `import keras` means kcore"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("script", help="the Python file")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what the script gets in sys.argv")


def run(args: argparse.Namespace) -> int:
    """Runs the command; the exit status is that of the script."""
    if not os.path.isfile(args.script):
        print(f"kcore run: there is no file {args.script}", file=sys.stderr)
        return 2
    try:
        compat.run_script(args.script, args.arguments)
    except Exception as error:
        # As Python shows it: beginning at the script, not at what runs it.
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != args.script:
            trace = trace.tb_next
        traceback.print_exception(type(error), error, trace or error.__traceback__)
        return 1
    return 0

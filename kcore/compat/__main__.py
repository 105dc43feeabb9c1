"""`python -m kcore.compat script.py ...`: the same as `kcore run script.py ...`."""

import sys

from kcore.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["run", *sys.argv[1:]]))

"""`python -m kcore.compat script.py ...`: the same as `kcore run script.py ...`."""

import sys

from kcore.compat import main

if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit("usage: python -m kcore.compat script.py [arguments of the script]")
    raise SystemExit(main(sys.argv[1], sys.argv[2:]))

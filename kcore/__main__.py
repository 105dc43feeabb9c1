"""`python -m kcore`: the same as the program `kcore`."""

from kcore.cli import main

if __name__ == "__main__":
    raise SystemExit(main())

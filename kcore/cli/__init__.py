"""The program `kcore`.

Each module of this package is a command, called as the module is, and has three names:

    HELP = "one line"
    def configure(parser: argparse.ArgumentParser) -> None: ...   # adds the command's arguments
    def run(args: argparse.Namespace) -> int: ...                 # does it, returns the exit status

Only the module of the command that is run is imported. Plugins add commands with the hook
`kcore_cli_commands`; their hook modules are loaded for `kcore --help`, and for a command that is
none of the core's.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcore.plugins.hookspecs import Command


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line.

    Args:
        arguments: the words after `kcore`; by default those the process was started with.

    Returns:
        The exit status: 0 when all went well, 1 for an error that was printed, 2 for wrong usage.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser(words[0] if words else "")
    options = parser.parse_args(words)
    if not hasattr(options, "run"):
        parser.print_help()
        return 2
    from kcore.errors import KcoreError

    try:
        return options.run(options)
    except KcoreError as error:
        print(f"kcore: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `kcore plugins list | head`
        sys.stderr.close()
        return 0


def _parser(first_word: str) -> argparse.ArgumentParser:
    from kcore import __version__

    parser = argparse.ArgumentParser(prog="kcore", description="kcore's command line.")
    parser.add_argument("--version", action="version", version=f"kcore {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    own = _own_commands()
    # The command's name comes first: with it only its own module needs to be imported.
    for name in [first_word] if first_word in own else own:
        module = importlib.import_module(f"{__name__}.{name}")
        _add(subparsers, name, module.HELP, module.configure, module.run)
    if first_word not in own:
        for command in _plugin_commands():
            if command.name not in own:
                _add(subparsers, *command)
    return parser


def _add(subparsers: argparse._SubParsersAction, name: str, text: str, configure, run) -> None:
    parser = subparsers.add_parser(name, help=text, description=text)
    configure(parser)
    parser.set_defaults(run=run)


def _own_commands() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def _plugin_commands() -> list[Command]:
    from kcore.plugins import hooks

    return [command for commands in hooks.call("kcore_cli_commands") for command in commands]

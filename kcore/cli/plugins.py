"""`kcore plugins list|show|check`: what is installed, where it comes from, and whether it works."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence

from kcore.config import normalized
from kcore.errors import NotInstalledError
from kcore.plugins import discovery, missing, policy, report
from kcore.plugins.kinds import KINDS
from kcore.plugins.report import Row

HELP = "list, show and check installed plugins"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _action(actions, "list", "every name, its distribution, version and state; imports nothing", list_plugins)
    show = _action(actions, "show", "one name or one distribution in full; imports nothing", show_plugin)
    show.add_argument("what", help="a name ('LSTM'), 'kind:name', or a distribution")
    _action(actions, "check", "import everything that is switched on; status 1 if anything fails", check_plugins)


def _action(
    actions: argparse._SubParsersAction, name: str, text: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--kind", choices=[*KINDS, report.HOOKS], metavar="KIND", help="only this kind: layers, losses, ..."
    )
    parser.add_argument("--distribution", type=normalized, help="only this distribution")
    parser.set_defaults(action=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Runs the command."""
    return args.action(args)


def list_plugins(args: argparse.Namespace) -> int:
    """`kcore plugins list`"""
    rows = [row for row in report.rows(args.kind) if args.distribution in (None, row.distribution)]
    _print(args.json, rows)
    return 0


def show_plugin(args: argparse.Namespace) -> int:
    """`kcore plugins show WHAT`"""
    kind, _, name = args.what.rpartition(":")
    rows = [
        row
        for row in report.rows(args.kind)
        if args.distribution in (None, row.distribution)
        and (row.distribution == normalized(args.what) or (row.name == name and kind in ("", row.kind)))
    ]
    found = discovery.index().distributions.get(normalized(args.what))
    if not rows and found is None:
        message = f"Neither a distribution nor a name called '{args.what}' is installed. {missing.whereabouts(name)}"
        raise NotInstalledError(message.rstrip())
    if args.json:
        _print(True, rows)
        return 0
    # A distribution whose entries are all defective has no rows.
    for distribution in dict.fromkeys(row.distribution for row in rows) or [normalized(args.what)]:
        _describe(distribution)
        for row in rows:
            if row.distribution == distribution:
                print(f"  {row.kind}:{row.name} = {row.value}  [{row.state}] {row.detail}".rstrip())
    return 0


def _describe(name: str) -> None:
    found = discovery.index().distributions.get(name)
    owner = "first-party" if policy.is_first_party(name) else "third-party"
    if found is None:
        print(f"{name} ({owner}): part of the core")
        return
    api = ", ".join(found.api) or "not stated"
    print(f"{found.name} {found.version} ({owner}), plugin API {api}, in {found.location}")
    for problem in found.problems:
        print(f"  problem: {problem.message}")


def check_plugins(args: argparse.Namespace) -> int:
    """`kcore plugins check`"""
    rows = report.check(args.kind, args.distribution)
    bad = [row for row in rows if row.state in ("broken", "outdated", "conflict")]
    _print(args.json, rows if args.json else bad)
    if not args.json:
        print(f"{len(rows) - len(bad)} of {len(rows)} names can be used")
    return 1 if bad or report.problems() else 0


def _print(as_json: bool, rows: Sequence[Row]) -> None:
    if as_json:
        data = {"plugins": [row.as_dict() for row in rows], "problems": report.problems()}
        print(json.dumps(data, indent=2))
        return
    _print_table(rows)
    for problem in report.problems():
        print(f"problem: {problem}")


def _print_table(rows: Sequence[Row]) -> None:
    if not rows:
        return
    table = [("kind", "name", "distribution", "version", "state")]
    table += [(row.kind, row.name, row.distribution, row.version, row.state) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    details = ["", *(row.detail for row in rows)]
    for line, detail in zip(table, details, strict=True):
        cells = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print(f"{cells}  {detail}".rstrip())

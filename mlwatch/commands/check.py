"""`mlwatch check PATH`: the gate of a deploy pipeline."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mlwatch.commands.common import chosen_range, need_records, taken_in
from mlwatch.faces.check import FORMATS, Check, Finding, Outcome, check_of
from mlwatch.rules import Ruling, rulings

if TYPE_CHECKING:
    from argparse import Namespace

OUTCOMES: dict[str, Outcome] = {"ok": "pass", "breach": "fail", "no_data": "hold"}


def run(arguments: Namespace) -> int:
    """Print the answer; exit code 0 for pass or promote, 1 for a breach or roll back, 3 for hold or no data."""
    wanted = chosen_range(arguments)
    with taken_in(arguments) as session:
        snapshot = session.snapshot(wanted.span, wanted.at)
        rules = rulings(snapshot, session.config.rules)
    need_records(snapshot, arguments.path)
    check: Check = check_of(snapshot, [_finding(ruling) for ruling in rules])
    sys.stdout.write(FORMATS[arguments.format](check))
    return check.exit_code


def _finding(ruling: Ruling) -> Finding:
    return Finding(f"{ruling.name} ({ruling.model} {ruling.version})", OUTCOMES[ruling.state], ruling.message)

"""`mlwatch report PATH`: the numbers as one document."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from mlwatch.commands.common import chosen_range, need_model, need_records, taken_in, write

if TYPE_CHECKING:
    from argparse import Namespace

    from mlwatch.snapshot.types import Snapshot


def run(arguments: Namespace) -> int:
    """Print the document, or write it to a file."""
    wanted = chosen_range(arguments)
    with taken_in(arguments) as session:
        snapshot = session.snapshot(wanted.span, wanted.at)
        need_records(snapshot, arguments.path)
        need_model(session)
    if snapshot.range is None:
        when = f" before {wanted.at:%Y-%m-%d %H:%M} UTC" if wanted.at is not None else ""
        sys.stderr.write(f"mlwatch: note: there are no predictions{when}\n")
    write(_text(snapshot, arguments.format), arguments.output)
    return 0


def _text(snapshot: Snapshot, form: str) -> str:
    if form == "md":
        from mlwatch.faces.markdown import markdown  # noqa: PLC0415

        return markdown(snapshot)
    if form == "html":
        from mlwatch.faces.html import html  # noqa: PLC0415

        return html(snapshot)
    return json.dumps(snapshot.to_dict(), indent=2, allow_nan=False) + "\n"

"""`mlwatch report PATH`: the numbers as one document."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from mlwatch.commands.common import chosen_range, need_records, taken_in
from mlwatch.commands.writing import write
from mlwatch.errors import InputError
from mlwatch.foreign import loads

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from mlwatch.faces.markup import Markup
    from mlwatch.snapshot.types import Snapshot


def run(arguments: Namespace) -> int:
    """Print the document, or write it to a file."""
    if arguments.multivariate and (arguments.format != "json" or arguments.compare is not None):
        raise InputError("only the document has it", "--multivariate", "add --format json, without --compare")
    if arguments.compat is not None and arguments.compare is not None:
        raise InputError("a comparison does not show it", "--compat", "leave --compare out")
    wanted = chosen_range(arguments)
    with taken_in(arguments) as session:
        snapshot = wanted.asked(session)
        need_records(session, snapshot)
        session.need_model()
        peer = session.as_peer(snapshot, arguments.compat) if arguments.compat is not None else None
        together = session.multivariate(snapshot) if arguments.multivariate else None
    if snapshot.range is None:
        when = f" before {wanted.at:%Y-%m-%d %H:%M} UTC" if wanted.at is not None else ""
        sys.stderr.write(f"mlwatch: note: there are no predictions{when}\n")
    if arguments.compare is None:
        text = _text(snapshot, arguments.format, peer, together)
    else:
        text = _comparison(snapshot, arguments.compare, arguments.format)
    write(text, arguments.output)
    return 0


def _text(
    snapshot: Snapshot,
    form: str,
    peer: dict[str, Any] | None = None,
    together: dict[str, Any] | None = None,
) -> str:
    """Return the document.

    Args:
        snapshot: What it shows.
        form: Of the text.
        peer: What another tool says of drift.
        together: How far all features together moved.
    """
    if form == "md":
        from mlwatch.faces.markdown import markdown  # noqa: PLC0415
        from mlwatch.faces.peers import as_markdown  # noqa: PLC0415

        return markdown(snapshot) + (as_markdown(peer) if peer is not None else "")
    if form == "html":
        from mlwatch.faces.peers import as_html  # noqa: PLC0415

        return page(snapshot, *([as_html(peer)] if peer is not None else []))
    from mlwatch.snapshot.finite import finite  # noqa: PLC0415

    found = snapshot.to_dict()
    if peer is not None:
        found["compat"] = finite(peer)
    if together is not None:
        found["multivariate"] = finite(together)
    return json.dumps(found, indent=2, allow_nan=False) + "\n"


def page(snapshot: Snapshot, *further: Markup) -> str:
    """Return the report as HTML, and say it where that cannot have charts.

    Args:
        snapshot: What it shows.
        further: Sections besides.
    """
    from mlwatch.faces.html import html  # noqa: PLC0415
    from mlwatch.faces.pictures import HINT, can_draw  # noqa: PLC0415

    if not can_draw():
        sys.stderr.write(f"mlwatch: note: {HINT}\n")
    return html(snapshot, *further)


def _comparison(snapshot: Snapshot, earlier: Path, form: str) -> str:
    from mlwatch.faces import comparison_pages  # noqa: PLC0415
    from mlwatch.faces.comparison import compare  # noqa: PLC0415

    found = compare(_earlier(earlier), snapshot.to_dict(), str(earlier))
    if form == "md":
        return comparison_pages.markdown(found)
    if form == "html":
        return comparison_pages.html(found)
    return json.dumps(found.to_dict(), indent=2, allow_nan=False) + "\n"


def _earlier(path: Path) -> Any:
    """Read the report to compare with.

    Raises:
        InputError: when it cannot be read or is no JSON.
    """
    try:
        return loads(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"cannot read ({error.strerror})", str(path), "name a report that was made with --format json"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError("not JSON", str(path), "make a report with mlwatch report --format json") from error

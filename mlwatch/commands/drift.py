"""`mlwatch drift TABLE --reference FILE`: how far each column of a table moved, without logs or a store."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from mlwatch.commands.writing import write
from mlwatch.snapshot.table_drift import table_drift

if TYPE_CHECKING:
    from argparse import Namespace


def run(arguments: Namespace) -> int:
    """Print the comparison, or write it to a file."""
    found = table_drift(arguments.path, arguments.reference, arguments.config)
    if arguments.format == "json":
        text = json.dumps(found.to_dict(), indent=2, allow_nan=False) + "\n"
    else:
        from mlwatch.faces import table_drift as face  # noqa: PLC0415  beside what it shows

        text = face.markdown(found) if arguments.format == "md" else face.text(found)
    if arguments.format == "text" and arguments.output is None:
        sys.stdout.write(text)
    else:
        write(text, arguments.output)
    return 0

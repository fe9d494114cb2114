"""Labels in files of their own that say which prediction they belong to, but not when they became known.

NannyML keeps targets beside the analysis data, joined by an identifier; Arize takes delayed actuals by prediction id.
The time of such a label is that of its file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.roles.names import rank, words
from mlwatch.sources.formats.types import Importer, Place, pointer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_FILE_WORDS = frozenset(
    {"label", "labels", "target", "targets", "truth", "outcome", "outcomes", "actual", "actuals"}
)
_ACTUALS = ("actual_label", "actual_score")


def _id_and_label(columns: Sequence[str], path: Path) -> tuple[str, str] | None:
    """Return the names of the two columns; None where the file is no such table."""
    ids = [name for name in columns if rank("id", (name,)) is not None]
    rest = [name for name in columns if name not in ids]
    if len(ids) != 1:
        return None
    if rest and set(rest) <= set(_ACTUALS):
        return ids[0], next(name for name in _ACTUALS if name in rest)
    named = _FILE_WORDS.intersection(words(path.name.split(".")[0]))
    return (ids[0], rest[0]) if len(rest) == 1 and named else None


def envelopes(place: Place) -> str:
    """Return the SELECT over the labels."""
    key, label = _id_and_label(place.columns, place.path) or ("", "")
    return f"""
        SELECT n, j ->> {pointer(key)} AS id, make_timestamp({place.mtime_ns // 1000}) AS ts,
            CAST(json_array(j -> {pointer(label)}) AS VARCHAR) AS label,
            CASE WHEN id IS NULL THEN 'a label without id'
                WHEN (j ->> {pointer(label)}) IS NULL THEN 'an id without label' END AS reason
        FROM native"""


IMPORTER = Importer(
    name="labels",
    title="Labels without a time (targets of NannyML, delayed actuals of Arize)",
    recognised="a table of an id and one more column in a file named like target.csv, "
    "or of prediction_id and actual_label",
    roles="id and label: the columns; time: the file's",
    marks=(),
    envelopes=envelopes,
    table=lambda columns, path: _id_and_label(columns, path) is not None,
)

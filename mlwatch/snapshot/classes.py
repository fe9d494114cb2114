"""Which class of a binary model is the positive one, told by the classes that it is known to have."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from mlwatch.asking import is_there
from mlwatch.metrics.confusion import positive_class
from mlwatch.metrics.curves import are_confidences, class_of_scores
from mlwatch.snapshot.reader import ALL_TIME
from mlwatch.snapshot.undecided import CODES
from mlwatch.sources.sql import literal
from mlwatch.store import rollups
from mlwatch.store.reference_tables import IN_FORCE

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.reader import Reader

MOST_CLASSES = 2
"""More labels than these are grades, where nothing is predicted."""


def positive_of(reader: Reader, model: str, task: str, said: str | None) -> str | None:
    """Return the positive class: the configured one, else of a binary task what all its classes and scores suggest.

    Args:
        reader: Of the snapshot.
        model: The model.
        task: Its task.
        said: What the configuration says.

    Returns:
        None before any class is known, and for other tasks.
    """
    if said or task != "binary":
        return said
    read = partial(_positive, reader, model)
    sources = (rollups.OUTCOMES, rollups.DECIDED)
    return reader.value(("positive", model), sources, ALL_TIME, read)


def _positive(reader: Reader, model: str) -> str | None:
    connection, classes = reader.connection, _classes(reader, model)
    if len(classes) > MOST_CLASSES and not _predicted(connection, model):
        return None  # grades of a ranking
    true = classes - CODES
    if len(true) == MOST_CLASSES and classes & CODES:
        return positive_class(
            true
        )  # predictions are codes, as those made of scores are: labels have the names
    return positive_class(classes, partial(_by_scores, connection, model))


def _predicted(connection: DuckDBPyConnection, model: str) -> bool:
    """Tell whether anything with a label was ever predicted to be of a class."""
    outcomes = rollups.OUTCOMES.table(rollups.OUTCOMES.levels[-1])
    return is_there(connection, f"{outcomes} WHERE model = {literal(model)} AND prediction IS NOT NULL")


def _by_scores(connection: DuckDBPyConnection, model: str) -> str | None:
    """Return the class that scores are the probability of, told by the first version of which it is clear.

    A later version whose scores mean the opposite must not turn round what was told of the others.
    """
    for columns in _decided(connection, model).values():
        if (told := class_of_scores(*columns)) is not None:
            return told
    return None


def confident(reader: Reader, model: str, task: str) -> frozenset[str]:
    """Return the versions of a binary model whose scores turned out to be confidences in the predicted class."""
    if task != "binary":
        return frozenset()

    def read() -> frozenset[str]:
        decided = _decided(reader.connection, model)
        return frozenset(version for version, columns in decided.items() if are_confidences(*columns))

    return reader.value(("confident", model), (rollups.DECIDED,), ALL_TIME, read)


def _decided(connection: DuckDBPyConnection, model: str) -> dict[str, tuple[Any, ...]]:
    """Return answers, bins, counts and sums of the scores of each version, in the order in which these came."""
    decided = rollups.DECIDED.table(rollups.DECIDED.levels[-1])
    rows = connection.execute(
        f"""SELECT version, LIST(prediction), LIST(bin), LIST(n), LIST(score) FROM (
            SELECT version, prediction, bin, SUM(n)::BIGINT AS n, SUM(sum_score) AS score, MIN(bucket) AS since
            FROM {decided} WHERE model = ? GROUP BY ALL ORDER BY prediction, bin)
        GROUP BY version ORDER BY MIN(since), version""",
        [model],
    ).fetchall()
    return {version: tuple(columns) for version, *columns in rows}


def _classes(reader: Reader, model: str) -> frozenset[str]:
    """Return the classes that were ever true or predicted where the truth is known: a quiet hour has one of two.

    Before labels come, they are those of the predictions, and of the reference where it names them alike.
    """
    labelled = partial(
        _named,
        reader.connection,
        f"""SELECT DISTINCT UNNEST([label, prediction])
        FROM {rollups.OUTCOMES.table(rollups.OUTCOMES.levels[-1])} WHERE model = ?""",
        model,
    )
    true = reader.value(("true classes", model), (rollups.OUTCOMES,), ALL_TIME, labelled)
    if true:
        return true
    said = _named(
        reader.connection,
        f"SELECT DISTINCT prediction FROM {rollups.DECIDED.table(rollups.DECIDED.levels[-1])} WHERE model = ?",
        model,
    )
    of_reference = f"SELECT DISTINCT UNNEST([label, prediction]) FROM reference_labels WHERE {IN_FORCE}"
    there = reader.fact("classes of the reference", partial(_named, reader.connection, of_reference))
    return said | there if said & there else said


def _named(connection: DuckDBPyConnection, sql: str, *values: str) -> frozenset[str]:
    return frozenset(
        str(name) for (name,) in connection.execute(sql, list(values)).fetchall() if name is not None
    )

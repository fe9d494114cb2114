"""Join labels to predictions by request id, in any order of arrival, each counted once.

The last outcome by event time wins; at equal times, as of labels that are dated by day, the one of the file that was
written later, and of one file that which stands later: it is a correction. That does not depend on the order in which
files are read. Where even that tells nothing, the greater label does. A label inside the prediction's own record holds
until an outcome record for its id comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlwatch.asking import is_there, number

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from mlwatch.store.slices import Columns

CURRENT_LABEL = """CASE WHEN own.id IS NULL THEN loose.label WHEN loose.id IS NULL THEN own.label
    WHEN (loose.ts, COALESCE(loose.came, 0), loose.label) > (own.ts, COALESCE(own.came, 0), own.label) THEN loose.label
    ELSE own.label END"""
"""The later of an outcome that names the prediction's model, `own`, and one that names none, `loose`.

Rows with nulls compare too, as the greatest, so both must be there before they are compared.
"""

CURRENT_TIME = "COALESCE(GREATEST(own.ts, loose.ts), own.ts, loose.ts)"
"""When it came."""

BY_LABEL = "label DESC"
"""Which of several outcomes of one time comes first where nothing tells the order in which they came."""

_SCORED = "CREATE OR REPLACE TEMP TABLE scored AS "


@dataclass(frozen=True, slots=True)
class Order:
    """What tells which of the outcomes of one time came last."""

    came: int
    """Against those of other batches: when the file was written that was written last, in nanoseconds since 1970."""
    in_order: bool
    """Within the batch: whether its rows stand as they were written."""

    @property
    def within(self) -> str:
        """How those of the batch are sorted, the last one first."""
        return "rowid DESC" if self.in_order else BY_LABEL


def label_joins(requests: str, model: str, outcomes: str = "outcomes") -> str:
    """Return the joins that `CURRENT_LABEL` needs; they never multiply rows.

    Args:
        requests: Alias of a relation with `h` and `id`.
        model: SQL expression of the model.
        outcomes: Relation of the outcomes.
    """
    return f"""
        LEFT JOIN {outcomes} AS own ON own.h = {requests}.h AND own.id = {requests}.id AND own.model = {model}
        LEFT JOIN {outcomes} AS loose ON loose.h = {requests}.h AND loose.id = {requests}.id AND loose.model = ''"""


def labelled() -> str:
    """Return the stored predictions whose label came in a record of its own, with its time, as a FROM item."""
    return f"""(
        SELECT p.ts, p.model, p.version, 1 AS weight, {CURRENT_TIME} AS labelled_at
        FROM predictions AS p {label_joins("p", "p.model")} WHERE NOT p.failed)"""


def score_requests(connection: DuckDBPyConnection, parts: Columns) -> tuple[bool, int]:
    """Fill `scored` with the batch's requests whose label is known already.

    Args:
        connection: Inside the ingest transaction.
        parts: Segments of the features that the batch has.

    Returns:
        Whether there are any, and how many stored outcomes found their prediction by this.
    """
    waiting = (
        number(
            connection,
            """SELECT COUNT(*) FROM outcomes WHERE h IN (SELECT h FROM batch WHERE is_request AND id IS NOT NULL)""",
        )
        if is_there(connection, "outcomes")
        else 0
    )
    if not waiting:
        connection.execute(
            f"""{_SCORED} SELECT ts, model, version, prediction, score, label, 1 AS weight,
                CAST(NULL AS TIMESTAMP) AS labelled_at{parts.select("b")}
            FROM batch AS b WHERE is_request AND NOT failed AND label IS NOT NULL"""
        )
        return _any_scored(connection), 0
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE known AS
        SELECT o.* FROM outcomes AS o
        WHERE o.h IN (SELECT h FROM batch WHERE is_request AND id IS NOT NULL)""")
    connection.execute(
        f"""{_SCORED} SELECT ts, model, version, prediction, score, label, 1 AS weight,
            labelled_at{parts.names} FROM (
            SELECT b.* REPLACE (COALESCE({CURRENT_LABEL}, b.label) AS label),
                {CURRENT_TIME} AS labelled_at{parts.select("b")}
            FROM batch AS b {label_joins("b", "b.model", "known")}
            WHERE b.is_request AND NOT b.failed)
        WHERE label IS NOT NULL"""
    )
    found = """SELECT DISTINCT o.id, o.model FROM known AS o JOIN batch AS b
        ON o.h = b.h AND o.id = b.id AND (o.model = '' OR o.model = b.model)
        WHERE b.is_request AND NOT o.matched"""
    matched = number(connection, f"SELECT COUNT(*) FROM ({found})")
    if matched:
        connection.execute(f"UPDATE outcomes SET matched = TRUE WHERE (id, model) IN ({found})")
    return _any_scored(connection), matched


def take_outcomes(connection: DuckDBPyConnection, parts: Columns, order: Order) -> tuple[bool, int, int]:
    """Store the batch's outcomes and fill `scored` with what they change.

    Must run after the batch's requests are stored.

    Args:
        connection: Inside the ingest transaction.
        parts: Segments.
        order: Of the batch's outcomes.

    Returns:
        Whether `scored` has rows, how many repeated outcomes were found, and how many new ids match no prediction.
    """
    told = latest("batch WHERE is_outcome", order.within)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE latest AS SELECT *, {order.came} AS came FROM ({told})")
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE former AS
        SELECT o.* FROM outcomes AS o JOIN latest AS n ON o.h = n.h AND o.id = n.id AND o.model = n.model""")
    repeated = _count_repeated(connection)
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE fresh AS
        SELECT n.*, f.label AS old_label, f.ts AS old_at, COALESCE(f.matched, FALSE) AS matched, f.id IS NULL AS is_new
        FROM latest AS n LEFT JOIN former AS f ON f.h = n.h AND f.id = n.id AND f.model = n.model
        WHERE f.id IS NULL OR n.ts > f.ts OR (n.ts = f.ts AND (
            (n.label <> f.label AND n.came >= COALESCE(f.came, 0))
            OR (n.came > COALESCE(f.came, 0) AND EXISTS (
                FROM outcomes AS r WHERE r.h = n.h AND r.id = n.id AND r.model <> n.model))))""")
    _confirm(connection)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE affected AS
        SELECT f.id, f.model AS outcome_model, f.label AS new_label, COALESCE(f.old_label, p.label) AS old_label,
            f.ts AS new_at, f.old_at, p.ts, p.model, p.version, p.prediction, p.score, p.failed{parts.select("p")}
        FROM predictions AS p JOIN fresh AS f
            ON p.h = f.h AND p.id = f.id AND (f.model = '' OR f.model = p.model)""")
    changed = _settle_rivals(connection, parts)
    connection.execute(
        f"""{_SCORED}
        SELECT ts, model, version, prediction, score, new_label AS label, 1 AS weight,
            new_at AS labelled_at{parts.names}
        FROM {changed} WHERE NOT failed
        UNION ALL
        SELECT ts, model, version, prediction, score, old_label AS label, -1 AS weight,
            old_at AS labelled_at{parts.names}
        FROM {changed} WHERE NOT failed AND old_label IS NOT NULL"""
    )
    unmatched = _store(connection)
    return _any_scored(connection), repeated, unmatched


def _confirm(connection: DuckDBPyConnection) -> None:
    """Note of outcomes that were said again, and change nothing by that, when it was said last."""
    connection.execute("""
        UPDATE outcomes AS o SET came = n.came FROM latest AS n
        WHERE o.h = n.h AND o.id = n.id AND o.model = n.model AND o.ts = n.ts AND o.label = n.label
            AND COALESCE(o.came, 0) < n.came
            AND NOT EXISTS (FROM fresh AS f WHERE f.h = n.h AND f.id = n.id AND f.model = n.model)""")


def latest(outcomes: str, tie: str = BY_LABEL) -> str:
    """Return the SELECT of the outcome that holds for each id, and each model that outcomes name.

    Args:
        outcomes: Relation of the outcomes.
        tie: Order of those of one time.
    """
    return f"""
        SELECT id, h, COALESCE(model, '') AS model, label, ts FROM {outcomes}
        QUALIFY row_number() OVER (PARTITION BY id, COALESCE(model, '') ORDER BY ts DESC, {tie}) = 1"""


def _settle_rivals(connection: DuckDBPyConnection, parts: Columns) -> str:
    """Return the table of changed labels, with one row a prediction.

    An id may have two outcomes at once: one that names the model, one that does not. The later of both holds.
    """
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE claims AS
        SELECT id, h, model, label, ts, COALESCE(came, 0) AS came, FALSE AS is_fresh,
            (id, model) NOT IN (SELECT id, model FROM fresh) AS stands
        FROM outcomes WHERE h IN (SELECT h FROM fresh)
        UNION ALL SELECT id, h, model, label, ts, came, TRUE AS is_fresh, TRUE AS stands FROM fresh""")
    rivals = "SELECT h, id FROM claims GROUP BY h, id HAVING COUNT(DISTINCT model = '') > 1"
    if not is_there(connection, f"({rivals})"):
        return "affected"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE settled AS
        SELECT p.ts, p.model, p.version, p.prediction, p.score, p.failed,
            arg_max(c.label, (c.ts, c.came, c.label)) FILTER (c.stands) AS new_label,
            COALESCE(
                arg_max(c.label, (c.ts, c.came, c.label)) FILTER (NOT c.is_fresh), any_value(p.label)
            ) AS old_label,
            MAX(c.ts) AS new_at, MAX(c.ts) FILTER (NOT c.is_fresh) AS old_at
            {parts.select("p", "any_value")}
        FROM predictions AS p JOIN claims AS c
            ON p.h = c.h AND p.id = c.id AND (c.model = '' OR c.model = p.model)
        GROUP BY p.rowid, p.ts, p.model, p.version, p.prediction, p.score, p.failed""")
    return "settled"


def _count_repeated(connection: DuckDBPyConnection) -> int:
    """Count outcome records that say again, to the instant, what was said before."""
    within = number(
        connection,
        """SELECT COUNT(*) - COUNT(DISTINCT (id, COALESCE(model, ''), label, ts))
        FROM batch WHERE is_outcome AND NOT duplicate""",
    )
    stored = number(
        connection,
        """SELECT COUNT(*) FROM (
            SELECT DISTINCT id, COALESCE(model, '') AS model, h, label, ts FROM batch
            WHERE is_outcome AND NOT duplicate) AS b
        JOIN former AS f ON f.h = b.h AND f.id = b.id AND f.model = b.model AND f.label = b.label AND f.ts = b.ts""",
    )
    return within + stored


def _store(connection: DuckDBPyConnection) -> int:
    connection.execute("""
        DELETE FROM outcomes WHERE h IN (SELECT h FROM fresh WHERE NOT is_new)
            AND (id, model) IN (SELECT id, model FROM fresh WHERE NOT is_new)""")
    connection.execute("""
        INSERT INTO outcomes
        SELECT f.id, f.h, f.model, f.label, f.ts, f.matched OR a.id IS NOT NULL, f.came
        FROM fresh AS f LEFT JOIN (SELECT DISTINCT id, outcome_model FROM affected) AS a
            ON a.id = f.id AND a.outcome_model = f.model""")
    return number(
        connection,
        """SELECT COUNT(*) FROM fresh AS f WHERE f.is_new
        AND NOT EXISTS (FROM affected AS a WHERE a.id = f.id AND a.outcome_model = f.model)""",
    )


def _any_scored(connection: DuckDBPyConnection) -> bool:
    return is_there(connection, "scored")

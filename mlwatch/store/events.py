"""Join business events to predictions by request id, in any order of arrival.

A prediction's gains are counted at the prediction's own time, so that a conversion belongs to the cohort that caused
it. Each prediction converts at most once, however many events it brings; money adds up.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlwatch.store.asking import number

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from mlwatch.config import BusinessSettings

_DEFAULTS = (
    ("refund", r"refund|chargeback|cancel|return|reversal|void"),
    (
        "conversion",
        r"purchas|conver|buy|bought|order|checkout|sign_?up|subscri|book|sale|sold|paid|payment|install|accept",
    ),
    (
        "engagement",
        r"click|view|open|like|share|play|watch|dwell|engag|read|save|comment|rating|thumb|add_to|cart|visit",
    ),
)


def class_of(kind: str, settings: BusinessSettings) -> str:
    """Tell what an event means for the business: `conversion`, `engagement`, `refund`, `revenue` or `other`.

    The lists of `[business]` win; a class without a list takes events by their names.
    """
    lists = {
        "conversion": settings.conversion,
        "engagement": settings.engagement,
        "refund": settings.refund,
        "revenue": settings.revenue,
    }
    for name, kinds in lists.items():
        if kind.lower() in {listed.lower() for listed in kinds}:
            return name
    for name, pattern in _DEFAULTS:
        if not lists[name] and re.search(pattern, kind, re.IGNORECASE):
            return name
    return "other"


def classify(connection: DuckDBPyConnection, settings: BusinessSettings) -> None:
    """Fill `kinds` with the class of every kind of event in the batch."""
    kinds = [
        row[0] for row in connection.execute("SELECT DISTINCT event FROM batch WHERE is_event").fetchall()
    ]
    connection.execute("CREATE OR REPLACE TEMP TABLE kinds (kind VARCHAR, class VARCHAR)")
    connection.executemany(
        "INSERT INTO kinds VALUES (?, ?)", [(kind, class_of(kind, settings)) for kind in kinds]
    )


_SUMS = """
    SUM(CASE WHEN class = 'conversion' THEN 1 ELSE 0 END) AS conversions,
    SUM(CASE WHEN class = 'engagement' THEN 1 ELSE 0 END) AS engagements,
    SUM(CASE WHEN class = 'engagement' THEN value END) AS engagement_value,
    SUM(CASE WHEN class IN ('conversion', 'revenue') AND value IS NOT NULL THEN 1 ELSE 0 END) AS sales,
    SUM(CASE WHEN class IN ('conversion', 'revenue') AND value > 0 THEN value ELSE 0 END) AS gross,
    SUM(CASE WHEN class = 'refund' OR (class IN ('conversion', 'revenue') AND value < 0) THEN 1 ELSE 0 END) AS refunds,
    SUM(CASE WHEN class = 'refund' OR (class IN ('conversion', 'revenue') AND value < 0)
        THEN ABS(COALESCE(value, 0)) ELSE 0 END) AS refunded"""


def _before(name: str, *, before: bool) -> str:
    """Return a sum as it was before the events of the batch."""
    return f"COALESCE(o_{name}, 0)" if before else "0"


def _worth(relation: str, *, before: bool) -> str:
    """Write rows of `worth` from joined predictions and sums: what each is worth now, less what it was worth before."""
    old = {name: _before(name, before=before) for name in _NAMES}
    now = f"({old['gross']} - {old['refunded']} + gross - refunded)"
    return f"""CREATE OR REPLACE TEMP TABLE worth AS
        SELECT ts, model, version, {now} AS net, 1 AS weight FROM {relation} WHERE sales + refunds > 0
        UNION ALL
        SELECT ts, model, version, {old["gross"]} - {old["refunded"]} AS net, -1 AS weight FROM {relation}
        WHERE sales + refunds > 0 AND {old["sales"]} + {old["refunds"]} > 0"""


def worth_of_all() -> str:
    """Return what every stored prediction is worth by its stored events, as a FROM item."""
    return f"""(
        SELECT p.ts, p.model, p.version, e.gross - e.refunded AS net, 1 AS weight
        FROM predictions AS p JOIN (SELECT id, h, model, {_SUMS} FROM events GROUP BY id, h, model) AS e
            ON e.h = p.h AND e.id = p.id AND (e.model = '' OR e.model = p.model)
        WHERE e.sales + e.refunds > 0)"""


def _gains(relation: str, *, before: bool) -> str:
    """Write rows of `gains` from joined predictions and sums, where `o_*` are the sums before these events."""

    def old(name: str) -> str:
        return _before(name, before=before)

    def first(name: str) -> str:
        return f"CASE WHEN {old(name)} = 0 AND {name} > 0 THEN 1 ELSE 0 END"

    net, old_net = "(gross - refunded)", f"({old('gross')} - {old('refunded')})"
    money, old_money = "(sales + refunds)", f"({old('sales')} + {old('refunds')})"
    rows = (
        ("conversion", "conversions", first("conversions"), "0", "0"),
        ("engagement", "engagements", first("engagements"), "COALESCE(engagement_value, 0)", "0"),
        ("gross", "sales", first("sales"), "gross", "0"),
        ("refund", "refunds", first("refunds"), "refunded", "0"),
        (
            "net",
            money,
            f"CASE WHEN {old_money} = 0 AND {money} > 0 THEN 1 ELSE 0 END",
            net,
            f"({old_net} + {net}) * ({old_net} + {net}) - {old_net} * {old_net}",
        ),
    )
    selects = [
        f"""SELECT ts, model, version, '{name}' AS class, {events} AS n_events, {is_first} AS n_first,
            {value} AS value, {square} AS value_sq FROM {relation} WHERE {events} > 0"""
        for name, events, is_first, value, square in rows
    ]
    return "CREATE OR REPLACE TEMP TABLE gains AS " + " UNION ALL ".join(selects)


def _fill(connection: DuckDBPyConnection, *, before: bool) -> None:
    """Fill `gains` and `worth` from `joined`."""
    connection.execute(_gains("joined", before=before))
    connection.execute(_worth("joined", before=before))


def gain_requests(connection: DuckDBPyConnection) -> tuple[bool, int]:
    """Fill `gains` for the batch's requests whose events came before them.

    Returns:
        Whether there are any, and how many stored events found their prediction by this.
    """
    if not number(connection, "SELECT COUNT(*) FROM (FROM events LIMIT 1)"):
        return False, 0
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE early AS
        SELECT * FROM events WHERE h IN (SELECT h FROM batch WHERE is_request AND id IS NOT NULL)""")
    if not number(connection, "SELECT COUNT(*) FROM early"):
        return False, 0
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE joined AS
        SELECT b.ts, b.model, b.version, e.* EXCLUDE (id, h, model)
        FROM batch AS b JOIN (SELECT id, h, model, {_SUMS} FROM early GROUP BY id, h, model) AS e
            ON e.h = b.h AND e.id = b.id AND (e.model = '' OR e.model = b.model)
        WHERE b.is_request""")
    _fill(connection, before=False)
    found = """FROM early AS e JOIN batch AS b ON e.h = b.h AND e.id = b.id AND (e.model = '' OR e.model = b.model)
        WHERE b.is_request AND NOT e.matched"""
    ids = f"SELECT DISTINCT e.id, e.model {found}"
    matched = number(connection, f"SELECT COUNT(*) FROM early WHERE NOT matched AND (id, model) IN ({ids})")
    if matched:
        connection.execute(f"UPDATE events SET matched = TRUE WHERE (id, model) IN ({ids})")
    return True, matched


def take_events(connection: DuckDBPyConnection, settings: BusinessSettings) -> tuple[int, int]:
    """Store the batch's events and fill `gains` with what they bring.

    Must run after the batch's requests are stored.

    Returns:
        How many repeated events were found, and how many match no prediction.
    """
    classify(connection, settings)
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE incoming AS
        SELECT b.id, b.h, COALESCE(b.model, '') AS model, b.event AS kind, k.class, b.value, b.currency, b.event_id,
            b.ts
        FROM batch AS b JOIN kinds AS k ON k.kind = b.event WHERE b.is_event""")
    repeated = _drop_repeated(connection)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE change AS
        SELECT n.*, {", ".join(f"o.{name} AS o_{name}" for name in _NAMES)}
        FROM (SELECT id, h, model, {_SUMS} FROM incoming GROUP BY id, h, model) AS n
        LEFT JOIN (SELECT id, model, {_SUMS} FROM events WHERE h IN (SELECT h FROM incoming) GROUP BY id, model) AS o
            ON o.id = n.id AND o.model = n.model""")
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE joined AS
        SELECT p.ts, p.model, p.version, c.id, c.model AS event_model, c.* EXCLUDE (id, h, model)
        FROM predictions AS p JOIN change AS c ON p.h = c.h AND p.id = c.id AND (c.model = '' OR c.model = p.model)""")
    _fill(connection, before=True)
    connection.execute("""
        INSERT INTO events
        SELECT i.id, i.h, i.model, i.kind, i.class, i.value, i.currency, i.event_id, i.ts, j.id IS NOT NULL
        FROM incoming AS i LEFT JOIN (SELECT DISTINCT id, event_model FROM joined) AS j
            ON j.id = i.id AND j.event_model = i.model""")
    unmatched = number(
        connection,
        """SELECT COUNT(*) FROM incoming AS i
        WHERE NOT EXISTS (FROM joined AS j WHERE j.id = i.id AND j.event_model = i.model)""",
    )
    return repeated, unmatched


_NAMES = ("conversions", "engagements", "sales", "gross", "refunds", "refunded")


def _drop_repeated(connection: DuckDBPyConnection) -> int:
    """Drop events whose own id was seen before; events without an id of their own are each counted."""
    if not number(connection, "SELECT COUNT(event_id) FROM incoming"):
        return 0
    before = number(connection, "SELECT COUNT(*) FROM incoming")
    connection.execute("""
        DELETE FROM incoming WHERE event_id IS NOT NULL AND (
            event_id IN (SELECT event_id FROM events WHERE event_id IS NOT NULL)
            OR rowid NOT IN (SELECT MIN(rowid) FROM incoming GROUP BY event_id))""")
    return before - number(connection, "SELECT COUNT(*) FROM incoming")

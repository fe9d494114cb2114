"""Join business events to predictions by request id, in any order of arrival.

A prediction's gains are counted at the prediction's own time, so that a conversion belongs to the cohort that caused
it. Each prediction converts at most once, however many events it brings; money adds up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.asking import is_there, number
from mlwatch.roles.event_names import meaning_of
from mlwatch.store import event_kinds, event_oddities
from mlwatch.store.event_times import is_early, is_in_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.config import BusinessSettings, Config


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
    told = meaning_of(kind)
    return "other" if lists.get(told) else told


def classify(connection: DuckDBPyConnection, settings: BusinessSettings) -> None:
    """Fill `kinds` with the class of every kind of event in the batch."""
    kinds = [
        row[0] for row in connection.execute("SELECT DISTINCT event FROM batch WHERE is_event").fetchall()
    ]
    connection.execute("CREATE OR REPLACE TEMP TABLE kinds (kind VARCHAR, class VARCHAR)")
    connection.executemany(
        "INSERT INTO kinds VALUES (?, ?)", [(kind, class_of(kind, settings)) for kind in kinds]
    )


_UP = ("thumbs_up", "thumbsup", "thumb_up", "thumbs-up", "upvote", "feedback_positive", "positive_feedback")
_DOWN = tuple(kind.replace("up", "down").replace("positive", "negative") for kind in _UP)
"""Kinds of events by which people say whether they liked an answer, where the configuration lists none."""
_MONEY = "class IN ('conversion', 'revenue')"
_TAKEN = f"(class = 'refund' OR ({_MONEY} AND value < 0))"


def _sums(settings: BusinessSettings | None = None, only: str = "TRUE", prefix: str = "") -> str:
    """Return the sums over a prediction's events as items of a SELECT.

    Args:
        settings: For the kinds that say whether an answer was liked; None for the usual ones.
        only: Condition on the events to sum.
        prefix: Before each name.
    """
    ups, downs = (settings.approval, settings.disapproval) if settings is not None else ((), ())
    counts = {
        "conversions": "class = 'conversion'",
        "engagements": "class = 'engagement'",
        "sales": f"{_MONEY} AND value IS NOT NULL",
        "refunds": _TAKEN,
        "ups": f"class IS NOT NULL AND {event_kinds.among(ups or _UP)}",
        "downs": f"class IS NOT NULL AND {event_kinds.among(downs or _DOWN)}",
    }
    values = {
        "engagement_value": ("class = 'engagement'", "value"),
        "gross": (f"{_MONEY} AND value > 0", "value"),
        "refunded": (_TAKEN, "ABS(COALESCE(value, 0))"),
    }
    items = [
        f"SUM(CASE WHEN {only} AND {which} THEN 1 ELSE 0 END) AS {prefix}{name}"
        for name, which in counts.items()
    ]
    items += [
        f"COALESCE(SUM(CASE WHEN {only} AND {which} THEN {value} END), 0) AS {prefix}{name}"
        for name, (which, value) in values.items()
    ]
    return ", ".join(items)


_PREDICTION = "ts, model, version, id"
"""What an event counts for once: whether it names the model or not makes no difference."""
_CONVERTED_AT = """MIN(CASE WHEN class = 'conversion' AND is_new THEN event_at END) AS event_at,
    MIN(CASE WHEN class = 'conversion' AND NOT is_new THEN event_at END) AS o_event_at"""


def _both(prediction: str, event: str, config: Config | None = None) -> str:
    """Return an event with its prediction as items of a SELECT.

    Args:
        prediction: Alias of the row of the one.
        event: The same of the other.
        config: Tells when an event can be the prediction's doing, else it has no class; None for whenever it is.
    """
    meaning, early = f"{event}.class", "FALSE"
    if config is not None:
        meaning = f"CASE WHEN {is_in_time(prediction, event, config)} THEN {event}.class END"
        early = is_early(prediction, event, config.roles.timezone)
    return f"""{prediction}.ts, {prediction}.model, {prediction}.version, {prediction}.id,
        {event}.model AS event_model, {event}.kind, {event}.value, {event}.currency, {event}.event_id,
        {event}.ts AS event_at, {meaning} AS class, {early} AS is_early"""


def _before(name: str, *, before: bool) -> str:
    """Return a sum as it was before the events of the batch."""
    return f"COALESCE(o_{name}, 0)" if before else "0"


def _worth(relation: str, *, before: bool) -> str:
    """Write rows of `worth` from joined predictions and sums: what each is worth now, less what it was worth before."""
    old = {name: _before(name, before=before) for name in _NAMES}
    now = f"({old['gross']} - {old['refunded']} + gross - refunded)"
    return f"""SELECT ts, model, version, {now} AS net, 1 AS weight FROM {relation} WHERE sales + refunds > 0
        UNION ALL
        SELECT ts, model, version, {old["gross"]} - {old["refunded"]} AS net, -1 AS weight FROM {relation}
        WHERE sales + refunds > 0 AND {old["sales"]} + {old["refunds"]} > 0"""


def worth_of_all() -> str:
    """Return what every stored prediction is worth by its stored events, as a FROM item."""
    return f"""(
        SELECT ts, model, version, gross - refunded AS net, 1 AS weight
        FROM (SELECT ts, model, version, {_sums()} FROM {with_predictions()} GROUP BY {_PREDICTION}) AS summed
        WHERE sales + refunds > 0)"""


def with_predictions(config: Config | None = None, only: str = "TRUE") -> str:
    """Return every stored event with its prediction, as a FROM item; see `_both`. `only` is a condition on them."""
    return f"""(
        SELECT {_both("p", "e", config)}, TRUE AS is_new
        FROM predictions AS p JOIN events AS e
            ON e.h = p.h AND e.id = p.id AND (e.model = '' OR e.model = p.model)
        WHERE {only}) AS joined_events"""


def of_all(config: Config, kinds: Sequence[str]) -> dict[str, str]:
    """Return the SELECTs of `gains`, `worth`, `converted` and `measured` over all that is stored, by name.

    Args:
        config: See `take_events`.
        kinds: Kinds of engagement that are followed.
    """
    stored = with_predictions(config)
    joined = f"""(
        SELECT ts, model, version, {_sums(config.business)}, {_CONVERTED_AT}
        FROM {stored} GROUP BY {_PREDICTION}) AS joined"""
    brought = _brought(joined, before=False)
    brought["gains"] += f" UNION ALL {event_oddities.gains(stored)}"
    if kinds:
        brought["gains"] += f" UNION ALL {event_kinds.gains(stored, kinds)}"
    return {**brought, "measured": event_kinds.measured(stored, kinds)}


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
        ("engagement", "engagements", first("engagements"), "engagement_value", "0"),
        ("approval", "ups", first("ups"), "0", "0"),
        ("disapproval", "downs", first("downs"), "0", "0"),
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
    return " UNION ALL ".join(selects)


def _brought(relation: str, *, before: bool) -> dict[str, str]:
    """Return what joined predictions and sums bring, as SELECTs by name."""
    # the first conversion by its time is the one that is timed, whichever was read first
    converted = f"""SELECT ts, model, version, event_at, 1 AS weight FROM {relation}
        WHERE event_at < o_event_at OR (event_at IS NOT NULL AND o_event_at IS NULL)
        UNION ALL
        SELECT ts, model, version, o_event_at AS event_at, -1 AS weight FROM {relation} WHERE event_at < o_event_at"""
    return {
        "converted": converted,
        "gains": _gains(relation, before=before),
        "worth": _worth(relation, before=before),
    }


def _fill(connection: DuckDBPyConnection, settings: BusinessSettings, *, before: bool, learns: bool) -> None:
    """Fill `gains`, `worth` and `converted` from `joined`, and `measured` and more gains from `joined_events`."""
    for name, select in _brought("joined", before=before).items():
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {select}")
    connection.execute(f"INSERT INTO gains {event_oddities.gains('joined_events')}")
    met = connection.execute(
        "SELECT kind, COUNT(*) FROM joined_events WHERE class = 'engagement' AND is_new GROUP BY kind"
    ).fetchall()
    kinds: Sequence[str] = ()
    if met:
        kinds = event_kinds.follow(connection, met, settings) if learns else event_kinds.followed(connection)
    measured = event_kinds.measured("joined_events", kinds)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE measured AS {measured}")
    if kinds:
        connection.execute(f"INSERT INTO gains {event_kinds.gains('joined_events', kinds)}")


def gain_requests(connection: DuckDBPyConnection, config: Config, *, learns: bool = True) -> tuple[bool, int]:
    """Fill `gains` for the batch's requests whose events came before them.

    Where the request had failed at first (see `batch.mark_duplicates`), the failure has got what came in between.

    Args:
        connection: Has the batch.
        config: See `take_events`.
        learns: Follow kinds that were not met before; a part of a store follows those of the store.

    Returns:
        Whether there are any, and how many stored events found their prediction by this.
    """
    if not is_there(connection, "events"):
        return False, 0
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE early AS
        SELECT * FROM events WHERE h IN (SELECT h FROM batch WHERE is_request AND id IS NOT NULL)""")
    if not is_there(connection, "early"):
        return False, 0
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE joined_events AS
        SELECT {_both("b", "e", config)}, TRUE AS is_new
        FROM batch AS b JOIN early AS e
            ON e.h = b.h AND e.id = b.id AND (e.model = '' OR e.model = b.model)
        WHERE b.is_request AND NOT EXISTS (
            FROM predictions AS p
            WHERE p.h IS NULL AND p.id = b.id AND p.model = b.model AND p.version = b.version)""")
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE joined AS
        SELECT ts, model, version, {_sums(config.business)}, {_CONVERTED_AT}
        FROM joined_events GROUP BY {_PREDICTION}""")
    _fill(connection, config.business, before=False, learns=learns)
    found = """FROM early AS e JOIN batch AS b ON e.h = b.h AND e.id = b.id AND (e.model = '' OR e.model = b.model)
        WHERE b.is_request AND NOT e.matched"""
    ids = f"SELECT DISTINCT e.id, e.model {found}"
    matched = number(connection, f"SELECT COUNT(*) FROM early WHERE NOT matched AND (id, model) IN ({ids})")
    if matched:
        connection.execute(f"UPDATE events SET matched = TRUE WHERE (id, model) IN ({ids})")
    return True, matched


def gain_stored(connection: DuckDBPyConnection, config: Config, only: str) -> None:
    """Fill `gains` with all that some stored predictions have brought so far.

    Args:
        connection: Inside a transaction of the ingest thread.
        config: See `take_events`.
        only: Condition on the predictions `p`, true of all or of none with one id.
    """
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE joined_events AS FROM {with_predictions(config, only)}""")
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE joined AS
        SELECT ts, model, version, {_sums(config.business)}, {_CONVERTED_AT}
        FROM joined_events GROUP BY {_PREDICTION}""")
    _fill(connection, config.business, before=False, learns=False)


def take_events(connection: DuckDBPyConnection, config: Config) -> tuple[int, int]:
    """Store the batch's events and fill `gains` with what they bring.

    Must run after the batch's requests are stored.

    Args:
        connection: Has the batch.
        config: For what events mean, the attribution, and the zone in which days are dated.

    Returns:
        How many repeated events were found, and how many match no prediction.
    """
    classify(connection, config.business)
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE incoming AS
        SELECT b.id, b.h, COALESCE(b.model, '') AS model, b.event AS kind, k.class, b.value, b.currency, b.event_id,
            b.ts, CAST(NULL AS VARCHAR) AS unit, CAST(NULL AS BOOLEAN) AS any_model
        FROM batch AS b JOIN kinds AS k ON k.kind = b.event WHERE b.is_event""")
    return _drop_repeated(connection), bring(connection, config)


def bring(connection: DuckDBPyConnection, config: Config) -> int:
    """Store the events of `incoming`, fill `gains` with what they bring, and return how many match no prediction."""
    settings = config.business
    columns = "id, h, model, kind, class, value, currency, event_id, ts"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE joined_events AS
        SELECT {_both("p", "c", config)}, c.is_new
        FROM predictions AS p JOIN (
            SELECT {columns}, TRUE AS is_new FROM incoming UNION ALL
            SELECT {columns}, FALSE AS is_new FROM events WHERE h IN (SELECT h FROM incoming)) AS c
            ON p.h = c.h AND p.id = c.id AND (c.model = '' OR c.model = p.model)""")
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE joined AS
        SELECT ts, model, version, {_sums(settings, "is_new")}, {_sums(settings, "NOT is_new", "o_")}, {_CONVERTED_AT}
        FROM joined_events GROUP BY {_PREDICTION} HAVING BOOL_OR(is_new)""")
    _fill(connection, settings, before=True, learns=True)
    connection.execute("""
        INSERT INTO events
        SELECT i.id, i.h, i.model, i.kind, i.class, i.value, i.currency, i.event_id, i.ts, j.id IS NOT NULL,
            i.unit, i.any_model
        FROM incoming AS i LEFT JOIN (SELECT DISTINCT id, event_model FROM joined_events WHERE is_new) AS j
            ON j.id = i.id AND j.event_model = i.model""")
    return number(
        connection,
        """SELECT COUNT(*) FROM incoming AS i
        WHERE NOT EXISTS (FROM joined_events AS j WHERE is_new AND j.id = i.id AND j.event_model = i.model)""",
    )


_NAMES = ("conversions", "engagements", "sales", "gross", "refunds", "refunded", "ups", "downs")


def _drop_repeated(connection: DuckDBPyConnection) -> int:
    """Drop events whose own id was seen before; events without an id of their own are each counted."""
    if not is_there(connection, "incoming WHERE event_id IS NOT NULL"):
        return 0
    before = number(connection, "SELECT COUNT(*) FROM incoming")
    connection.execute("""
        DELETE FROM incoming WHERE event_id IS NOT NULL AND (
            event_id IN (SELECT event_id FROM events WHERE event_id IS NOT NULL)
            OR rowid NOT IN (SELECT MIN(rowid) FROM incoming GROUP BY event_id))""")
    return before - number(connection, "SELECT COUNT(*) FROM incoming")

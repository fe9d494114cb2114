"""Times as SQL: expressions that turn what logs write into UTC timestamps."""

from __future__ import annotations

from mlwatch.sources.sql import literal
from mlwatch.times import SPACED_ZONE

EARLIEST = "TIMESTAMP '1990-01-01'"
LATEST = "TIMESTAMP '2100-01-01'"
"""Times outside of these are taken for damage; see `mlwatch.times`."""

_FORMATS = (
    *("%d/%b/%Y:%H:%M:%S %z", "%a, %d %b %Y %H:%M:%S GMT", "%a, %d %b %Y %H:%M:%S %z", "%Y%m%dT%H%M%S%z"),
    *("%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M%S", "%Y-%m-%dT%H:%M:%S%z", "%Y/%m/%d %H:%M:%S"),
)
"""Notations that are tried after ISO 8601."""


def zoned_sql(column: str) -> str:
    """Turn a time, with a zone or in UTC, into a UTC timestamp; without the calendar, which a plain cast consults."""
    return f"make_timestamp(epoch_us(CAST({column} AS TIMESTAMPTZ)))"


def epoch_sql(number: str) -> str:
    """Turn a number of seconds, milliseconds, micro- or nanoseconds since 1970 into a UTC timestamp, by magnitude."""
    value = f"CAST({number} AS DOUBLE)"
    return (
        f"CASE WHEN NOT ABS({value}) < 9e18 THEN NULL WHEN ABS({value}) < 1e11 "
        f"THEN make_timestamp(CAST(ROUND({value} * 1e6) AS BIGINT)) "
        f"WHEN ABS({value}) < 1e14 THEN make_timestamp(CAST(ROUND({value} * 1e3) AS BIGINT)) "
        f"WHEN ABS({value}) < 1e17 THEN make_timestamp(CAST({number} AS BIGINT)) "
        f"ELSE make_timestamp(CAST({number} AS BIGINT) // 1000) END"
    )


def tight_sql(text: str) -> str:
    """Leave the spaces out that a time has before its zone."""
    zone = f"CONCAT(regexp_replace({text}, ' +[^ ]+$', ''), regexp_replace({text}, '^.* ', ''))"
    return f"CASE WHEN regexp_matches({text}, '{SPACED_ZONE}') THEN {zone} ELSE {text} END"


def tolerant_time_sql(text: str, timezone: str) -> str:
    """Turn text in any usual notation of time into a UTC timestamp, or NULL."""
    text = f"regexp_replace({text}, '^ *([0-9]{{1,2}})[.]([0-9]{{1,2}})[.]([0-9]{{4}})', '\\3-\\2-\\1')"
    formats = "[" + ", ".join(literal(form) for form in _FORMATS) + "]"
    zoned = f"regexp_matches({text}, '([Zz]|UTC|[0-9][T ].*[+-][0-9]{{2}}(:?[0-9]{{2}})?)$')"
    naive = f"CAST(timezone({literal(timezone)}, TRY_CAST({text} AS TIMESTAMP)) AS TIMESTAMP)"
    iso = f"CAST(TRY_CAST({text} AS TIMESTAMPTZ) AS TIMESTAMP)"
    by_zone = iso if timezone == "UTC" else f"CASE WHEN {zoned} THEN {iso} ELSE {naive} END"
    comma = f"CAST(TRY_CAST(REPLACE({text}, ',', '.') AS TIMESTAMPTZ) AS TIMESTAMP)"
    spaced = f"CAST(TRY_CAST(REPLACE({tight_sql(text)}, ',', '.') AS TIMESTAMPTZ) AS TIMESTAMP)"
    epoch = epoch_sql(f"TRY_CAST({text} AS DOUBLE)")
    return (
        f"COALESCE({by_zone}, CASE WHEN TRY_CAST({text} AS DOUBLE) IS NOT NULL THEN {epoch} END, {comma}, "
        f"CAST(TRY_STRPTIME({text}, {formats}) AS TIMESTAMP), {spaced})"
    )

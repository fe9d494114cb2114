"""Numbers that stand in text as SQL: with commas, a currency or a unit of time; see `roles.written` for how."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mlwatch.roles.names import LATENCY_UNITS
from mlwatch.roles.written import AMOUNTS, COMPOUND, SPACES, WITH_COMMAS
from mlwatch.sources.sql import literal

if TYPE_CHECKING:
    from mlwatch.roles.written import Commas
    from mlwatch.sources.marks import Marks

_OF_UNIT = "^[0-9]+([.][0-9]+)? *({})$"
_UNITS = tuple(
    ("|".join(name for name, each in LATENCY_UNITS.items() if each == factor), factor)
    for factor in sorted(set(LATENCY_UNITS.values()))
)
"""Names of each unit that may stand behind a duration, and the milliseconds in it."""


def finite_sql(number: str) -> str:
    """Return a number; NULL for NaN and infinities, which would make every sum one."""
    return f"CASE WHEN ABS({number}) <= {sys.float_info.max!r} THEN {number} END"


def with_commas_sql(text: str, commas: Commas) -> str:
    """Return the number of a text without spaces around it that has commas in it; NULL for any other."""
    number = f"TRY_CAST(REPLACE({text}, ',', '{'.' if commas == 'decimal' else ''}') AS DOUBLE)"
    return f"CASE WHEN regexp_matches({text}, '^{WITH_COMMAS[commas]}$') THEN {number} END"


def unmarked_sql(text: str, marks: Marks) -> str:
    """Return a number's text with a decimal point and without marks of thousands, as `marks.unmarked`; others stay."""
    parted = f"|[1-9][0-9]{{0,2}}([{marks.thousands}][0-9]{{3}})+" if marks.thousands else ""
    pattern = f"^ *[+-]?([0-9]+{parted})?([{marks.decimal}][0-9]*)? *$"
    digits = f"REPLACE({text}, {literal(marks.thousands)}, '')" if marks.thousands else text
    plain = f"REPLACE({digits}, {literal(marks.decimal)}, '.')"
    return f"CASE WHEN regexp_matches({text}, {literal(pattern)}) THEN {plain} ELSE {text} END"


def amount_sql(text: str, commas: Commas) -> str:
    """Return the number of an amount that may have a currency beside it; NULL for a text that is none."""
    digits = f"regexp_replace(regexp_replace({text}, '^[^0-9]+', ''), '[^0-9]+$', '')"
    sign = f"CASE WHEN {text} LIKE '%-%' THEN -1e0 ELSE 1e0 END"
    for mark in (".", *SPACES) if commas == "decimal" else (",",):
        digits = f"REPLACE({digits}, {literal(mark)}, '')"
    number = f"TRY_CAST(REPLACE({digits}, ',', '.') AS DOUBLE) * {sign}"
    return f"CASE WHEN regexp_matches({text}, '^{AMOUNTS[commas]}$') THEN {number} END"


def currency_sql(text: str, commas: Commas) -> str:
    """Return what stands beside an amount; NULL where nothing does, or the text is none."""
    around = f"CONCAT(regexp_replace({text}, '[0-9].*$', ''), regexp_replace({text}, '^.*[0-9]', ''))"
    bare = f"TRIM(REPLACE(REPLACE({around}, '-', ''), '+', ''))"
    return f"CASE WHEN regexp_matches({text}, '^{AMOUNTS[commas]}$') THEN NULLIF({bare}, '') END"


def duration_sql(text: str, otherwise: str) -> str:
    """Return the milliseconds of a number with its unit behind it.

    Args:
        text: In lower case, without spaces around it.
        otherwise: What any other text says.
    """
    bare = f"TRY_CAST(regexp_replace({text}, '[^0-9.]+$', '') AS DOUBLE)"
    cases = [
        f"WHEN regexp_matches({text}, '{_OF_UNIT.format(names)}') THEN {bare} * {factor!r}"
        for names, factor in _UNITS
    ]
    cases.append(f"WHEN regexp_matches({text}, '^{COMPOUND}$') THEN {_compound(text)}")
    return f"CASE {' '.join(cases)} ELSE {otherwise} END"


def _compound(text: str) -> str:
    """Return the milliseconds of a duration such as `1h2m3.5s`."""
    hours = f"CASE WHEN {text} LIKE '%h%' THEN TRY_CAST(split_part({text}, 'h', 1) AS DOUBLE) ELSE 0e0 END"
    minutes = f"TRY_CAST(split_part(split_part({text}, 'm', 1), 'h', -1) AS DOUBLE)"
    seconds = f"TRY_CAST(REPLACE(split_part({text}, 'm', 2), 's', '') AS DOUBLE)"
    return f"({hours} * 3600e3 + {minutes} * 60e3 + {seconds} * 1e3)"

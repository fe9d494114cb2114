"""How numbers are written as text, as patterns that Python and the engines read alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Commas: TypeAlias = Literal["unclear", "thousands", "decimal"]
"""What commas are in the numbers of a column."""

NULL_WORDS = frozenset({"", "nan", "-nan", "null", "none", "na", "n/a", "#n/a", "<na>", r"\n"})
"""What stands for a missing number, in lower case, as Python, R, pandas, spreadsheets and databases write it."""
GROUPED = "[+-]?[1-9][0-9]{0,2}((,[0-9]{3})+[.][0-9]+|(,[0-9]{3}){2,})"
"""A number with commas that can only separate thousands: `1,234.5` and `1,234,567`; `1,234` may be one and a bit."""
WITH_COMMAS: Mapping[Commas, str] = {
    "unclear": GROUPED,
    "thousands": "[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+([.][0-9]+)?",
    "decimal": "[+-]?[0-9]+,[0-9]+",
}
"""Numbers with commas that are read, by what these are."""
COMPOUND = "([0-9]+h)?[0-9]+m[0-9]+([.][0-9]+)?s"
"""How Go writes durations of a minute and more: `1m3.5s`, `1h0m0s`."""
SPACES = " \u00a0\u202f"
"""What parts thousands in many countries, and amounts from their currency."""
_SPACE = f"[{SPACES}]"
CURRENCY = "([A-Z]{3}|[A-Z]{0,2}[€$£¥₹₩₽₺₴₪₫₱₦฿]|kr|zł|Kč)"
"""A code or sign of a currency beside an amount."""
_DECIMALS = "([0-9]{1,2}|[0-9]{4,})"
"""Three digits behind a mark may be thousands."""
_POINT = f"([0-9]+|[0-9]{{1,3}}(,[0-9]{{3}}){{2,}}|([0-9]+|[0-9]{{1,3}}(,[0-9]{{3}})+)[.]{_DECIMALS})"
_COMMA = f"([0-9]+|[0-9]{{1,3}}([.]|{_SPACE})[0-9]{{3}}(([.]|{_SPACE})[0-9]{{3}})*)(,[0-9]+)?"
_THOUSANDS = "([0-9]+|[0-9]{1,3}(,[0-9]{3})+)([.][0-9]+)?"


def _priced(number: str) -> str:
    """Return the pattern of a number that may have a sign, and a currency on either side."""
    return f"[+-]?({CURRENCY}{_SPACE}?)?[+-]?{number}({_SPACE}?{CURRENCY})?"


AMOUNTS: Mapping[Commas, str] = {
    "unclear": _priced(_POINT),
    "thousands": _priced(_THOUSANDS),
    "decimal": _priced(_COMMA),
}
"""Amounts that are read, by what commas are in their column: `$1,234.50`, `-12 EUR` and `kr 99`; of commas that part
thousands also `$1,234`; of decimal ones `€1,20`, `1.299,00 €` and `1 299`."""
DECIMAL_COMMA = f"[^.]*([.][0-9]{{3}})*,{_DECIMALS}([^0-9].*)?"
"""An amount whose comma can only part decimals off."""
_GROUPS = "|".join(
    f"[0-9]{{1,3}}({mark}[0-9]{{3}})+({point}[0-9]+)?"
    for mark, point in (("[.]", ","), (",", "[.]"), ("'", "[.,]"), (_SPACE, "[.,]"))
)
ANY_AMOUNT = _priced(f"([0-9]+([.,][0-9]+)?|{_GROUPS})")
"""Whatever may be an amount, though nothing tells how it is to be read; `10.0.0.1` is none."""
_COMMAS = {commas: re.compile(pattern) for commas, pattern in WITH_COMMAS.items()}
_AROUND = re.compile("^[^0-9]+|[^0-9]+$")
_DOUBTFUL = re.compile("[+-]?[1-9][0-9]{0,2},[0-9]{3}")


def commas_of(texts: Iterable[str]) -> Commas:
    """Tell what commas are in the numbers of a column: `1,234` does not say it, `1,234.5` and `12,5` do."""
    found = [text.strip() for text in texts if "," in text]
    thousands = any(_COMMAS["unclear"].fullmatch(text) for text in found)
    decimal = any(_COMMAS["decimal"].fullmatch(text) and not _DOUBTFUL.fullmatch(text) for text in found)
    if thousands == decimal:
        return "unclear"
    return "thousands" if thousands else "decimal"


def part_thousands(amounts: Iterable[str]) -> bool:
    """Tell whether commas can only part thousands in amounts that may have a currency beside them."""
    return commas_of(_AROUND.sub("", amount) for amount in amounts) == "thousands"


def with_point(text: str, commas: Commas) -> str:
    """Return a number as it is written without commas of thousands and with a decimal point; anything else as it is."""
    if "," not in text or _COMMAS[commas].fullmatch(text.strip()) is None:
        return text
    return text.replace(",", "." if commas == "decimal" else "")

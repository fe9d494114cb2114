"""Text from outside made safe for a terminal, and numbers written for people."""

from __future__ import annotations

import math
import re
import unicodedata

from rich.cells import cell_len, set_cell_size

LONGEST = 4000
"""Characters after which a text is cut; nothing on a screen needs more."""
MARKS = 3
"""Combining marks in a row that a script may need; more only pile up."""
REPLACEMENT = "�"
MISSING = "n/a"
SHORTEST = 6
"""Cells below which a text has no room for two ends."""

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, APC: titles, links
    r"|\x1b[ -/]*[0-~]?"  # every other escape
)
_SPACES = frozenset("\n\r\t\v\f\u2028\u2029\x85\u115f\u1160\u3164\uffa0\u2800")
"""Line ends, and letters that are drawn as nothing."""
_IGNORABLE = frozenset("\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f")
"""Marks without a shape (Unicode Default_Ignorable_Code_Point) beside the format characters."""


_TO_ASCII = str.maketrans(
    {"…": "~", "−": "-", "–": "-", "—": "-", "·": "|", "•": "*", "µ": "u", "×": "x", "±": "+/-", "≥": ">=",
     "≤": "<=", "→": "->", "←": "<-", "▲": "^", "▼": "v", "∞": "inf", "‘": "'", "’": "'", "“": '"', "”": '"', "²": "2"}
)  # fmt: skip
"""What typographic characters become in ASCII."""


def sanitize(text: str, width: int | None = None, *, ascii_only: bool = False) -> str:
    """Return a text without anything that acts on a terminal or hides in it.

    Escape sequences, control, format (bidi, zero-width) and shapeless characters go; line ends become
    spaces; private and unassigned characters become a replacement mark.

    Args:
        text: Text from anywhere.
        width: Most cells the result may take; a longer text ends with an ellipsis.
        ascii_only: Write ASCII for typographic characters and `?` for every other character beyond it.
    """
    safe = text[:LONGEST] if _is_plain(text) else _cleaned(text[:LONGEST])
    if ascii_only:
        safe = safe.translate(_TO_ASCII).encode("ascii", "replace").decode("ascii")
    return safe if width is None else truncate(safe, width, ascii_only=ascii_only)


def truncate(text: str, width: int, *, ascii_only: bool = False) -> str:
    """Return a text that takes at most `width` cells, with an ellipsis where it was cut."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + ("~" if ascii_only else "…")


def shorten(text: str, width: int, *, ascii_only: bool = False) -> str:
    """Return a text that takes at most `width` cells and keeps both of its ends: names of a kind differ at the end."""
    if cell_len(text) <= width or width < SHORTEST:
        return truncate(text, width, ascii_only=ascii_only)
    tail, room = "", (width - 1) // 2
    while cell_len(text[len(text) - len(tail) - 1 :]) <= room:
        tail = text[len(text) - len(tail) - 1 :]
    return truncate(text, width - cell_len(tail), ascii_only=ascii_only) + tail


def pad(text: str, width: int, align: str = "left", *, ascii_only: bool = False) -> str:
    """Return a text that takes exactly `width` cells; `align` is left, right or center."""
    cut = truncate(text, width, ascii_only=ascii_only)
    room = max(width, 0) - cell_len(cut)
    before = {"right": room, "center": room // 2}.get(align, 0)
    return " " * before + cut + " " * (room - before)


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _cleaned(text: str) -> str:
    safe: list[str] = []
    marks = 0
    for char in _ESCAPES.sub("", text):
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks <= MARKS:
            safe.append(_shown(char, category))
    return "".join(safe)


def _shown(char: str, category: str) -> str:
    if char in _SPACES or category == "Zs":
        return " "
    if category in ("Cc", "Cf") or char in _IGNORABLE or _selects_variation(char):
        return ""
    return REPLACEMENT if category in ("Cs", "Co", "Cn") else char


def _selects_variation(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


# --- numbers -----------------------------------------------------------------------------------------

_SUFFIXES = {
    -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E",
}  # fmt: skip
"""SI prefixes (SI Brochure, 9th edition, table 7)."""


DIVIDED = frozenset({"s", "m", "g", "J", "W", "V", "A"})
"""Units that have parts with names of their own, such as milliseconds."""


def format_number(
    value: float | None, unit: str = "", digits: int = 3, *, signed: bool = False, ascii_only: bool = False
) -> str:
    """Return a number with SI prefix and unit, such as `12.3 k` or `1.20 GB`.

    Args:
        value: The number; None and NaN read `n/a`.
        unit: Appended after the prefix. Prefixes below one are used only with units that are divided so: a price is
            never said in thousandths of a dollar.
        digits: Significant digits; whole numbers below a thousand are written without a fraction.
        signed: Write a plus before positive numbers.
        ascii_only: Write `-`, `u` and `inf` for the minus sign, `µ` and `∞`.
    """
    if value is None or math.isnan(value):
        return MISSING
    body, suffix = _magnitude(abs(value), unit in DIVIDED, max(digits, 1))
    minus, plus = ("-" if ascii_only else "−"), ("+" if signed else "")
    sign = minus if value < 0 and body.strip("0.") else plus if value > 0 else ""
    written = f"{sign}{body} {suffix}{unit}".rstrip()
    return as_ascii(written) if ascii_only else written


def format_percent(
    share: float | None, digits: int = 1, *, signed: bool = False, ascii_only: bool = False
) -> str:
    """Return a share of one as percent, such as `91.4 %`."""
    if share is None or math.isnan(share):
        return MISSING
    body = f"{abs(share) * 100:.{digits}f}" if math.isfinite(share) else "∞"
    zero = not body.strip("0.")
    sign = "" if zero else "−" if share < 0 else "+" if signed else ""
    return as_ascii(f"{sign}{body} %") if ascii_only else f"{sign}{body} %"


_UNITS_OF_TIME = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def format_duration(seconds: float | None, *, ascii_only: bool = False) -> str:
    """Return a duration by its two largest units, such as `3 d 4 h`, `2 min 05 s` or `120 ms`."""
    if seconds is None or math.isnan(seconds):
        return MISSING
    sign = "−" if seconds < 0 else ""
    length = abs(seconds)
    if math.isinf(length):
        written = "∞"
    elif length < 1:
        written = format_number(length, "s")
    elif round(length, 1) < 10 and round(length, 1) % 1:
        written = f"{length:.1f} s"
    else:
        written = _two_units(round(length))
    return as_ascii(sign + written) if ascii_only else sign + written


def _two_units(seconds: int) -> str:
    for at, (name, size) in enumerate(_UNITS_OF_TIME):
        if seconds >= size > 1:
            smaller, smaller_size = _UNITS_OF_TIME[at + 1]
            whole, rest = seconds // size, seconds % size // smaller_size
            return f"{whole} {name} {rest:02d} {smaller}" if rest else f"{whole} {name}"
    return f"{seconds} s"


def _magnitude(value: float, small: bool, digits: int) -> tuple[str, str]:
    """Return the digits of a number that is not negative, and its prefix."""
    if math.isinf(value):
        return "∞", ""
    if value == 0:
        return "0", ""
    exponent = math.floor(math.log10(float(f"{value:.{digits - 1}e}")))  # after rounding: 999.9 is 1.00 k
    step = min(max(exponent // 3 * 3, -12 if small else 0), 18)
    if exponent - step < -3:
        return f"{value:.{digits - 1}e}", ""
    if step == 0 and value < 1000 and value == int(value):
        return str(int(value)), ""
    decimals = max(digits - 1 - (exponent - step), 0)
    return f"{value / 10.0**step:.{decimals}f}", _SUFFIXES[step]


def as_ascii(text: str) -> str:
    """Return a text with ASCII for typographic characters; every other stays as it is."""
    return text.translate(_TO_ASCII)

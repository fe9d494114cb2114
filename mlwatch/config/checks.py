"""Readers and checks of single settings; each raises ValueError with what is allowed."""

from __future__ import annotations

import re
import shlex
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from mlwatch.config.conditions import parse as parse_condition
from mlwatch.errors import reason_of
from mlwatch.times import parse_duration, parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CONDITION = re.compile(
    r"""(?:[a-z_]+\s*)?(?:<=|>=|==|!=|<|>)\s*(?:[+-]?\d+(?:\.\d+)?\s*(?:%|[a-zA-Z]+)?|"[^"]*"|'[^']*')""",
    re.ASCII,
)
_SECRET_HEADER = re.compile(r"authorization|cookie|token|key|secret|password", re.IGNORECASE)
_REFERENCE = re.compile(r"(env|file):.+", re.DOTALL)


class ItemError(ValueError):
    """One item of a table is wrong: messages tell its line, not that of the table."""

    def __init__(self, item: str, message: str) -> None:
        super().__init__(message)
        self.item = item


def text(value: object) -> str:
    """Read text."""
    if isinstance(value, str):
        return value
    raise ValueError("must be text in quotes")


def class_name(value: object) -> str:
    """Read the name of a class or version, which may be written as a number or boolean."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError("must be text or a number")


def duration(value: object) -> timedelta:
    """Read a duration."""
    if not isinstance(value, str):
        raise ValueError('must be a duration in quotes, such as "500ms", "10m" or "1h30m"')  # noqa: TRY004
    return parse_duration(value)


def keep(value: object) -> timedelta | None:
    """Read how long rows are kept."""
    return None if value == "forever" else positive(duration(value))


def moment(value: object) -> datetime:
    """Read a time, written as a TOML date or as text."""
    parsed = parse_timestamp(value) if not isinstance(value, int | float) else None
    if parsed is None:
        raise ValueError("must be a time such as 2026-11-23T10:00:00Z")
    return parsed


def window(value: object) -> tuple[datetime, datetime]:
    """Read a period of time."""
    parts = text(value).split("/")
    if len(parts) != 2:
        raise ValueError('must be two times with a slash between them, such as "2026-11-01/2026-11-08"')
    start, end = moment(parts[0]), moment(parts[1])
    if start >= end:
        raise ValueError("the start of the window must be before its end")
    return start, end


def command(value: object) -> tuple[str, ...]:
    """Read a command as its words."""
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        return tuple(value)
    if not isinstance(value, str):
        raise ValueError("must be a command, as text or as a list of words")  # noqa: TRY004
    try:
        return tuple(shlex.split(value))
    except ValueError as error:
        raise ValueError(f"is no command: {error}") from None


def verify(value: object) -> bool | str:
    """Read how certificates are checked."""
    if isinstance(value, bool | str) and value != "":
        return value
    raise ValueError("must be true, false or the path of a file of certificate authorities")


def allowed(value: object) -> tuple[str, ...]:
    """Read a list of allowed values, as text."""
    if isinstance(value, list) and value:
        return tuple(class_name(item) for item in value)
    raise ValueError("must be a list of one value or more")


def shares(value: object) -> float | tuple[tuple[datetime, float], ...]:
    """Read a share of the traffic, or the steps of a ramp."""
    if isinstance(value, int | float):
        return _share(value)
    if not isinstance(value, dict) or not value:
        raise ValueError('must be a share, or a table such as {"2026-11-23T10:00:00Z" = 0.05}')
    return tuple(sorted((moment(time), _share(share)) for time, share in value.items()))


def _share(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf"):
        return between(0, 1)(float(value))
    raise ValueError("must be a number")


def between(low: float, high: float) -> Callable[[float], float]:
    """Make a check that a number lies between two others."""

    def check(value: float) -> float:
        if low < value < high:
            return value
        raise ValueError(f"must be greater than {low:g} and less than {high:g}")

    return check


def not_negative(value: float) -> float:
    """Check that a number is zero or more."""
    if value >= 0:
        return value
    raise ValueError("must be zero or more")


def positive(value: timedelta) -> timedelta:
    """Check that a duration is longer than nothing."""
    if value > timedelta(0):
        return value
    raise ValueError("must be longer than zero")


def golden_interval(value: timedelta) -> timedelta:
    """Check the time between two golden probes: the last one must be of the last day to be shown."""
    if timedelta(seconds=1) <= value <= timedelta(hours=12):
        return value
    raise ValueError("must be from 1s to 12h")


def conditions(value: tuple[str, ...]) -> tuple[str, ...]:
    """Check that the conditions of an endpoint can be understood."""
    for text in value:
        parse_condition(text)
    return value


def metrics_interval(value: timedelta) -> timedelta:
    """Check the time between two looks at a server's metrics: what is older than five minutes is not shown."""
    if timedelta(seconds=1) <= value <= timedelta(minutes=2):
        return value
    raise ValueError("must be from 1s to 2m")


def margins(value: Mapping[str, float]) -> Mapping[str, float]:
    """Check that no margin is negative."""
    for name, margin in value.items():
        if not margin >= 0:
            raise ValueError(f"the margin of {name} must be zero or more")
    return value


def timezone(value: str) -> str:
    """Check that a time zone is known."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError('must be a time zone such as "UTC" or "Europe/Berlin"') from None
    return value


def display_timezone(value: str) -> str:
    """Check the zone in which times are shown."""
    return value if value == "local" else timezone(value)


def template(role: str) -> Callable[[str], str]:
    """Make a check that a path template names the role it is for."""

    def check(value: str) -> str:
        if not value.startswith("path:") or f"{{{role}}}" in value:
            return value
        raise ValueError(f'must hold {{{role}}}, as in "path:{{model}}/{{version}}/*"')

    return check


def condition(value: str) -> str:
    """Check the form of a rule's condition."""
    if _CONDITION.fullmatch(value.strip()):
        return value
    raise ValueError('must be a condition such as "< 0.9", "> 200ms" or "drop > 2%"')


def regex(value: str) -> str:
    """Check a pattern with the engine that will match values with it: RE2 is another language than Python's."""
    import duckdb  # noqa: PLC0415  dear, and only for this

    try:
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute("SELECT regexp_full_match('', $1)", [value])
    except duckdb.Error as error:
        raise ValueError(f"is no regular expression of RE2: {reason_of(error)}") from None
    return value


def url(value: str) -> str:
    """Check an endpoint's address, which may carry the kind of server: `torchserve+http://…`."""
    try:
        parts = urlsplit(value)
        known = parts.scheme.rpartition("+")[2] in {"http", "https"} and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        known = False
    if known:
        return value
    raise ValueError('must be an address such as "http://localhost:8080"')


def redis_address(value: str) -> str:
    """Check the address of a cache."""
    try:
        parts = urlsplit(value)
        _ = parts.port
        known = parts.scheme in {"redis", "rediss"} and bool(parts.hostname)
    except ValueError:
        known = False
    if known and re.fullmatch(r"/?\d*", parts.path):
        return value
    raise ValueError('must be an address such as "redis://localhost:6379/0"')


def key_groups(value: Mapping[str, str]) -> Mapping[str, str]:
    """Check the names of groups of keys: they become parts of names of metrics."""
    for name, pattern in value.items():
        if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or not pattern:
            raise ValueError('must name patterns of keys, such as {user = "user:*"}')
    return value


def webhook(value: str) -> str:
    """Check that an address can be posted to."""
    if not value.startswith(("http://", "https://", "env:")):
        raise ValueError('must be an address such as "https://…", or "env:NAME"')
    return value


def web_address(value: str) -> str:
    """Check that an address is one of the web."""
    if not value.startswith(("http://", "https://")):
        raise ValueError('must be an address such as "http://localhost:5000"')
    return value


def secret_reference(value: str) -> str:
    """Check that a secret is not written down."""
    if not _REFERENCE.fullmatch(value):
        raise ValueError('must be a reference: "env:NAME" or "file:PATH"')
    return value


def severities(value: tuple[str, ...]) -> tuple[str, ...]:
    """Check the names of severities."""
    wrong = [name for name in value if name not in {"info", "warning", "critical"}]
    if wrong:
        raise ValueError(f"there is no severity {wrong[0]}; there are info, warning and critical")
    return value


def payoff(value: Mapping[str, float]) -> Mapping[str, float]:
    """Check the names of the decisions."""
    wrong = [name for name in value if name not in {"tp", "fp", "fn", "tn"}]
    if wrong:
        raise ValueError(f"there is no decision {wrong[0]}; there are tp, fp, fn and tn")
    return value


def levels(value: Mapping[str, float]) -> Mapping[str, float]:
    """Check that levels of quantiles lie between 0 and 1."""
    for name, level in value.items():
        if not 0 < level < 1:
            raise ValueError(f"the level of {name} must lie between 0 and 1")
    return value


def prices(value: Mapping[str, float]) -> Mapping[str, float]:
    """Check that no price is negative."""
    for name, price in value.items():
        if not price >= 0:
            raise ValueError(f"the price of {name} must be zero or more")
    return value


def headers(value: Mapping[str, str]) -> Mapping[str, str]:
    """Check that secrets are references, so that none stands in the file."""
    for name, content in value.items():
        if _SECRET_HEADER.search(name) and not _REFERENCE.fullmatch(content):
            raise ValueError(f'{name} must be a reference: "env:NAME" or "file:PATH"')
        if re.search(r"[\r\n\0]", name + content):
            raise ValueError("a header holds no line breaks")
    return value

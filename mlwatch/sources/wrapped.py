"""Records inside the lines of a logger or a container runtime, brought back to plain JSON lines.

What is read: an object behind whatever a logger puts before it, an object that is text in a field of another (Docker's
`json-file`, journald, Fluent Bit, Loki, JSON formatters of loggers), and `key=value` pairs (logfmt,
https://brandur.org/logfmt). Such a log is one once a line of it holds what a model did; its other lines, the chatter
of the process, are no records, unless they say that a request failed. What a line says of the request beside the
record fills what the record lacks, see `beside`.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mlwatch.roles.names import is_named, rank
from mlwatch.sources.beside import SHIPPERS, fields, filled, is_http_status, reached

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mlwatch.roles.types import ColumnPath

LOGGED_AT = "log_line_time"
"""Field of the time that the line carries outside of the record."""
TEXT_FIELDS = ("log", "message", "msg", "MESSAGE", "line", "textPayload", "body")
TIME_FIELDS = ("time", "timestamp", "@timestamp", "ts", "asctime", "__REALTIME_TIMESTAMP", "created", "date")
TELLING = ("prediction", "score", "label", "event")
"""Roles that show that an object is a record."""
TELLING_SIZE = 3
"""An object of so many fields is taken for a record, whatever they are called."""

_ANSWERS = ("prediction", "score")
_WHOSE = ("id", "unit", "event_id")
"""Roles that say which request or user an event is of."""
_TIME = re.compile(rb"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?")
_LOGGED = re.compile(
    rb"\W{0,2}(?:(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL)\b\W{0,2}[ :\t]"
    rb"|%b\W{0,2}(?: {1,8}\W{0,2} {0,8}[A-Za-z]|\s{0,8}[A-Z]{4,8}\b))" % _TIME.pattern
)
_START = rb"(?<![\w.@/-])[\d./-]*+"
"""Before a name: looked for at the start of a word only, as a line may be one word of a megabyte."""
_NAME = rb"[A-Za-z_@][\w.@/-]*+"
_QUOTED = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_PAIR = re.compile(rb'%b(%b)=(%b|[^\s"]*+)' % (_START, _NAME, _QUOTED))
_PAIRS = re.compile(rb'%b(?:%b=(?:%b|[^\s"=]*+)(?:\s++|$)){3}' % (_START, _NAME, _QUOTED))
_PREFIX = 200
"""No logger puts more bytes before its message."""


def is_wrapped(head: bytes) -> bool:
    """Tell whether some line of the first bytes of a file wraps a record."""
    return any(_shows_record(line) for line in head.split(b"\n"))


def begins_wrapped(head: bytes) -> bool:
    """Tell the same of the first line."""
    return is_wrapped(head.partition(b"\n")[0])


def has_chatter(head: bytes) -> bool:
    """Tell whether lines that are objects hold a logger's messages, with or without records in them."""
    return any(_is_message(found) for line in head.split(b"\n") if (found := _object(line)) is not None)


def begins_logged(head: bytes) -> bool:
    """Tell whether the first line begins as those of loggers do, with a level, or with a time and a word."""
    return _LOGGED.match(head) is not None


def unwrapped(text: bytes, said: Collection[str] = ()) -> bytes:
    """Return as many JSON lines as there are lines: a blank one where a line is no record.

    What should be a record and cannot be read stays as it is, to be refused for what it is.

    Args:
        text: Whole lines.
        said: Columns that the configuration names, dotted, which may be beside the record.
    """
    return b"\n".join(_plain(line, said) for line in text.split(b"\n"))


def _plain(line: bytes, said: Collection[str]) -> bytes:
    try:
        record = _record(line.strip(), said)
        if record is not None:
            text = "" if _is_message(record, said) else json.dumps(record, ensure_ascii=False)
            return text.encode("utf-8", "replace")
    except RecursionError:
        return line
    own = _object(line)
    if own is not None:
        if not _is_message(own, said):
            return line
        line = next((own[name] for name in TEXT_FIELDS if isinstance(own.get(name), str)), "").encode()
    start = line.find(b'{"', 0, _PREFIX)
    return b"" if start < 0 else line[start:].replace(b"\n", b" ")


def _record(line: bytes, said: Collection[str] = ()) -> Mapping[str, Any] | None:
    """Return the record that a line wraps."""
    if line.startswith(b"{"):
        outer = _object(line)
        return None if outer is None else _embedded(outer, said)
    if line.endswith(b"}") and (start := line.find(b"{", 0, _PREFIX)) > 0:
        return _behind_prefix(line, start, said)
    pairs = _pairs(line) if _PAIRS.search(line) else None
    return pairs if pairs is not None and (_is_telling(pairs) or _is_failed(pairs)) else None


def _shows_record(line: bytes) -> bool:
    """Tell whether a line holds a record; pairs that say no more than that a request failed may be any server's."""
    record = _record(line.strip())
    if record is None:
        return False
    return _is_telling(record) or (len(record) >= TELLING_SIZE and line.rstrip().endswith(b"}"))


def _is_message(found: Mapping[str, Any], said: Collection[str] = ()) -> bool:
    """Tell whether an object is a message of a logger rather than a record."""
    if not any(isinstance(found.get(name), str) for name in TEXT_FIELDS) or _is_failed(found):
        return False
    return not _is_telling(found) or _is_told_by_shipper(found, said)


def _is_told_by_shipper(found: Mapping[str, Any], said: Collection[str]) -> bool:
    """Tell whether what looks like a label or an event is a field that a shipper puts beside each message.

    Such as `type` and `action`. An event is one of some request or user, and a record in the message tells more than
    names that are as often something else.
    """
    names = [(path, _possibly(path, isinstance(value, dict))) for path, value in fields(found)]
    certain = {role for path, roles in names for role in roles & _certainly(path)}
    if not certain.isdisjoint(_ANSWERS):
        return False
    inner = _embedded(found, ())
    if inner is not None and any(not _certainly(path).isdisjoint(TELLING) for path, _ in fields(inner)):
        return certain.isdisjoint(("label", "event")) or certain.isdisjoint(("id", "unit"))
    likely = {role for _, roles in names for role in roles}
    loose_event = "event" not in certain and likely.isdisjoint((*_ANSWERS, "label", *_WHOSE))
    return loose_event and not any(reached(found, one) for one in said)


def _behind_prefix(line: bytes, start: int, said: Collection[str]) -> Mapping[str, Any] | None:
    found = _object(line[start:])
    if found is None:
        return None
    time = _TIME.search(line, 0, start)
    return _timed(_embedded(found, said) or found, time[0].decode() if time else None)


def _embedded(outer: Mapping[str, Any], said: Collection[str]) -> Mapping[str, Any] | None:
    """Return the object that is text in a field of another, with what the other says of the same request."""
    for name in TEXT_FIELDS:
        text = outer.get(name)
        if isinstance(text, str) and "{" in text[:_PREFIX] and text.rstrip().endswith("}"):
            found = _object(text[text.index("{") :].encode("utf-8", "replace"))
            if found is not None:
                time = next((outer[key] for key in TIME_FIELDS if outer.get(key) is not None), None)
                record = _embedded(found, said) or found
                if _is_telling(record) or _is_failed(outer) or any(reached(record, one) for one in said):
                    record = filled(record, outer, said)
                elif _has_answer(outer):
                    return None  # the text is about the record around it
                return _timed(record, time)
    return None


def _timed(record: Mapping[str, Any], time: object) -> Mapping[str, Any]:
    return record if time is None or LOGGED_AT in record else {**record, LOGGED_AT: time}


def _pairs(line: bytes) -> Mapping[str, Any]:
    found = {name.decode(): _value(value) for name, value in _PAIR.findall(line)}
    first = _PAIR.search(line)
    time = _TIME.search(line, 0, first.start(1)) if first else None
    return _timed(found, time[0].decode() if time else None)


def _value(raw: bytes) -> Any:
    """Return a value as what it looks like: a number, a truth, text."""
    if raw.startswith(b'"'):
        found = _json(raw)
        return found if isinstance(found, str) else raw[1:-1].decode("utf-8", "replace")
    found = _json(raw) if len(raw) < 64 else None
    return found if isinstance(found, int | float) else raw.decode("utf-8", "replace") or None


def _object(text: bytes) -> dict[str, Any] | None:
    found = _json(text)
    return found if isinstance(found, dict) and found else None


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_telling(record: Mapping[str, Any]) -> bool:
    """Tell whether one of the fields is named as what a model answers, or what came of it."""
    return any(_tells(path, isinstance(value, dict)) for path, value in fields(record))


@lru_cache(maxsize=20_000)
def _tells(path: ColumnPath, is_object: bool) -> bool:
    return not _possibly(path, is_object).isdisjoint(TELLING)


@lru_cache(maxsize=20_000)
def _possibly(path: ColumnPath, is_object: bool) -> frozenset[str]:
    """Return the roles that a field may have by its name; an object names no event, nor does `_p` a score."""
    found = frozenset(role for role in (*TELLING, *_WHOSE) if rank(role, path) is not None)
    if path[0].startswith(SHIPPERS):
        found &= _certainly(path)
    return found - {"event"} if is_object else found


def _has_answer(record: Mapping[str, Any]) -> bool:
    """Tell whether an object says what a model answered, by names that say nothing else."""
    return any(not _certainly(path).isdisjoint(_ANSWERS) for path, _ in fields(record))


def _is_failed(record: Mapping[str, Any]) -> bool:
    """Tell whether an object says of a request, by its id, that it failed, by a status of HTTP.

    Words such as `error` do not count: they are levels of messages in some logs.
    """
    failed = any(_is_failure(value) for path, value in fields(record) if "status" in _certainly(path))
    return failed and any(value is not None for path, value in fields(record) if "id" in _certainly(path))


@lru_cache(maxsize=20_000)
def _certainly(path: ColumnPath) -> frozenset[str]:
    """Return the roles that a name is one for, and no ordinary feature's; every field of every line is asked for."""
    return frozenset(role for role in ("id", "unit", "status", *TELLING) if is_named(role, path))


def _is_failure(status: object) -> bool:
    return is_http_status(status) and str(status)[0] in "45"

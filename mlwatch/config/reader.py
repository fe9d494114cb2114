"""Read `mlwatch.toml` into settings; every error names file, line, key and what is allowed."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from mlwatch.config import checks
from mlwatch.config.lines import Key, line_of
from mlwatch.config.polled import CacheSettings, EndpointSettings
from mlwatch.config.probefiles import ProbeFileError, read_probe
from mlwatch.config.settings import Config, ConstraintSettings, RuleSettings
from mlwatch.errors import ConfigError

if typing.TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "mlwatch.toml"
LARGEST = 4 * 1024 * 1024

T = TypeVar("T")

_TABLES = (
    "roles",
    "business",
    "outputs",
    "store",
    "reference",
    "drift",
    "segments",
    "slo",
    "rollout",
    "notify",
    "registry",
    "feast",
    "training",
    "otlp",
    "system",
    "app",
    "watch",
    "source",
)
_LISTS: Mapping[str, tuple[str, type[Any]]] = {
    "rule": ("rules", RuleSettings),
    "endpoint": ("endpoints", EndpointSettings),
    "cache": ("caches", CacheSettings),
}
_SECTIONS = (*_TABLES, *_LISTS, "schema")


def discover(logdir: Path) -> Path | None:
    """Return the configuration of a log directory; None when it has none."""
    path = logdir / FILE_NAME
    return path if path.is_file() else None


def load(path: Path | None) -> Config:
    """Read a configuration; without a path, the defaults.

    Raises:
        ConfigError: The file cannot be read, is no TOML, or holds an unknown key or a bad value.
    """
    if path is None:
        return Config()
    data = _read(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(
            "the configuration is not UTF-8", f"{path}, line {line}", "save it as UTF-8"
        ) from None
    read = dataclasses.replace(parse(text, str(path)), path=path, sha256=hashlib.sha256(data).hexdigest())
    _check_probes(read, text)
    return read


def parse(text: str, name: str = FILE_NAME) -> Config:
    """Read a configuration from its text.

    Args:
        text: TOML.
        name: The file's name, for messages.

    Raises:
        ConfigError: The text is no TOML, or holds an unknown key or a bad value.
    """
    read = _Reader(text, name).config()
    if read.roles.unit is None and read.rollout.unit not in {None, "request", "id"}:
        return dataclasses.replace(read, roles=dataclasses.replace(read.roles, unit=read.rollout.unit))
    return read


def _check_probes(config: Config, text: str) -> None:
    """Read the files of the golden probes, so that a wrong one is told with its line."""
    for number, endpoint in enumerate(config.endpoints):
        if endpoint.probe is None:
            continue
        try:
            read_probe(endpoint.probe, config.resolve)
        except ProbeFileError as error:
            key = ("endpoint", number, "probe", error.key)
            where = f"{config.path}, line {line_of(text, key)}, {_dotted(key)}"
            raise ConfigError("the golden probe cannot be used", where, str(error)) from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError("cannot read the configuration", str(path), error.strerror or "") from error
    if len(data) > LARGEST:
        raise ConfigError("the configuration is too large", str(path), "give a file below 4 MB")
    return data


class _Reader:
    """Read one text, of which the messages tell the line."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name

    def config(self) -> Config:
        """Read all sections."""
        data = self._tables()
        self._known((), data, _SECTIONS)
        hints = typing.get_type_hints(Config)
        sections: dict[str, Any] = {
            name: self._table(hints[name], data[name], (name,)) for name in _TABLES if name in data
        }
        for name, (target, kind) in _LISTS.items():
            sections[target] = self._list(kind, data.get(name, []), (name,))
        sections["schema"] = dict(self._constraints(data.get("schema", {}), ("schema",)))
        return Config(**sections)

    def _tables(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            found = re.search(r"\(at line (\d+), column \d+\)", str(error))
            line = found[1] if found else max(1, len(self._text.splitlines()))
            where = f"{self._name}, line {line}"
            reason = re.sub(r"\s*\(at .*\)$", "", str(error))
            raise ConfigError("the configuration is not valid TOML", where, reason) from None

    def _list(self, kind: type[T], values: object, key: Key) -> tuple[T, ...]:
        if not isinstance(values, list):
            raise self._error("wrong type", key, f"write [[{key[0]}]] with two brackets, once for each")
        return tuple(self._table(kind, value, (*key, number)) for number, value in enumerate(values))

    def _constraints(self, values: object, key: Key) -> Iterable[tuple[str, ConstraintSettings]]:
        names = {field.name for field in dataclasses.fields(ConstraintSettings)}
        for name, value in self._mapping(values, key).items():
            below = (*key, name)
            nested = (
                isinstance(value, dict) and value and all(isinstance(item, dict) for item in value.values())
            )
            if nested and not names & value.keys():  # [schema.user.age] means the feature user.age
                yield from self._constraints(value, below)
            else:
                asked = self._table(ConstraintSettings, value, below)
                if asked.min is not None and asked.max is not None and asked.min > asked.max:
                    raise self._error("bad value", (*below, "min"), f"must be at most max, {asked.max:g}")
                yield ".".join(str(part) for part in below[1:]), asked

    def _table(self, kind: type[T], values: object, key: Key) -> T:
        every = dataclasses.fields(typing.cast("Any", kind))
        fields = {field.name.rstrip("_"): field for field in every if "place" not in field.metadata}
        table = self._mapping(values, key)
        self._known(key, table, tuple(fields))
        read = {
            fields[name].name: self._value(kind, fields[name], value, (*key, name))
            for name, value in table.items()
        }
        for name, field in fields.items():
            if field.metadata.get("required") and not read.get(field.name):
                raise self._error("missing key", key, f"add {name} = …")
        places = {field.name: self._place(key) for field in every if "place" in field.metadata}
        return kind(**read, **places)

    def _mapping(self, values: object, key: Key) -> dict[str, Any]:
        if isinstance(values, dict):
            return values
        raise self._error("wrong type", key, "must be a table")

    def _value(self, kind: type[Any], field: dataclasses.Field[Any], value: object, key: Key) -> object:
        hint = typing.get_type_hints(kind)[field.name]
        nested = next((part for part in _parts(hint) if dataclasses.is_dataclass(part)), None)
        if nested is not None and "read" not in field.metadata:
            return self._table(typing.cast("type[Any]", nested), value, key)
        read: Callable[[object], Any] = field.metadata.get("read") or _reader(hint)
        check: Callable[[Any], object] | None = field.metadata.get("check")
        try:
            result = read(value)
            return check(result) if check is not None else result
        except checks.ItemError as error:
            raise self._error("bad value", (*key, error.item), str(error)) from None
        except ValueError as error:
            raise self._error("bad value", key, str(error)) from None

    def _known(self, key: Key, table: Mapping[str, object], allowed: tuple[str, ...]) -> None:
        for name in table:
            if name not in allowed:
                close = difflib.get_close_matches(name, allowed, 1)
                hint = f"did you mean {close[0]}? " if close else ""
                what = "unknown key" if key else "unknown section"
                raise self._error(what, (*key, name), f"{hint}Allowed: {', '.join(allowed)}")

    def _error(self, what: str, key: Key, todo: str) -> ConfigError:
        return ConfigError(what, self._place(key), todo)

    def _place(self, key: Key) -> str:
        line = line_of(self._text, key)
        where = f"{self._name}, line {line}" if line is not None else self._name
        return f"{where}, {_dotted(key)}"


def _dotted(key: Key) -> str:
    text = ""
    for part in key:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _parts(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in {types.UnionType, typing.Union} else (hint,)


def _reader(hint: Any) -> Callable[[object], Any]:
    """Return the function that reads a value of a type."""
    kind = next(part for part in _parts(hint) if part is not types.NoneType)
    if typing.get_origin(kind) is Literal:
        return _choice(typing.get_args(kind))
    return _READERS[kind]


def _choice(options: tuple[str, ...]) -> Callable[[object], str]:
    def read(value: object) -> str:
        if isinstance(value, str) and value in options:
            return value
        close = difflib.get_close_matches(str(value), options, 1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ValueError(f"{hint}Allowed: {', '.join(options)}")

    return read


def _bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("must be true or false")


def _int(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("must be a whole number")


def _float(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf"):
        return float(value)
    raise ValueError("must be a number")


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise ValueError('must be a list of text, such as ["a", "b"]')


def _table_of(read: Callable[[object], T]) -> Callable[[object], dict[str, T]]:
    def table(value: object) -> dict[str, T]:
        if not isinstance(value, dict):
            raise ValueError("must be a table")  # noqa: TRY004  every reader raises ValueError
        result = {}
        for name, item in value.items():
            try:
                result[name] = read(item)
            except ValueError as error:
                raise checks.ItemError(name, f"{name} {error}") from None
        return result

    return table


_READERS: Mapping[Any, Callable[[object], Any]] = {
    str: checks.text,
    bool: _bool,
    int: _int,
    float: _float,
    timedelta: checks.duration,
    datetime: checks.moment,
    tuple[str, ...]: _texts,
    Mapping[str, str]: _table_of(checks.text),
    Mapping[str, float]: _table_of(_float),
}

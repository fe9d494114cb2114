"""Say DuckDB's SQL in Spark's dialect: sqlglot does most of it, a few rewrites do the rest, and a list guards both.

What sqlglot does not know it passes through untouched, and Spark may then know a function of that name which does
something else. So whatever is not on the list below is refused: a new function in the rollup SQL needs a line here, and
a look at what it does in both engines. Spark's session is in UTC, with ANSI rules and names that differ by case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp, parse_one

from mlwatch.spark.stars import expand

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TYPES = exp.DataType.Type

KNOWN = frozenset(
    {
        *(
            "abs",
            "and",
            "array",
            "arraycontains",
            "case",
            "cast",
            "ceil",
            "coalesce",
            "concat",
            "count",
            "explode",
        ),
        *(
            "floor",
            "greatest",
            "if",
            "isinf",
            "isnan",
            "least",
            "left",
            "length",
            "ln",
            "lower",
            "max",
            "min",
        ),
        *(
            "or",
            "pow",
            "regexplike",
            "regexpreplace",
            "round",
            "rownumber",
            "struct",
            "sum",
            "trycast",
        ),
        *("nullif", "replace", "sign", "md5", "substring", "strposition", "splitpart", "regexpsplit"),
    }
)
"""Keys of sqlglot's functions that mean the same in both engines."""
SPARKS_OWN = frozenset(
    {
        "make_dt_interval",
        "timestamp_micros",
        "to_utc_timestamp",
        "try_to_timestamp",
        "unix_micros",
        "xxhash64",
        "isnull",
    }
)
"""Names of Spark's functions that the rewrites below write."""

_JAVA_TIMES = {
    "%d/%b/%Y:%H:%M:%S %z": "dd/MMM/yyyy:HH:mm:ss [XXX][XX][X]",
    "%a, %d %b %Y %H:%M:%S GMT": "EEE, dd MMM yyyy HH:mm:ss 'GMT'",
    "%a, %d %b %Y %H:%M:%S %z": "EEE, dd MMM yyyy HH:mm:ss [XXX][XX][X]",
    "%Y%m%dT%H%M%S%z": "yyyyMMdd'T'HHmmss[XXX][XX][X]",
    "%Y%m%dT%H%M%SZ": "yyyyMMdd'T'HHmmss'Z'",
    "%Y%m%dT%H%M%S": "yyyyMMdd'T'HHmmss",
    "%Y-%m-%dT%H:%M:%S%z": "yyyy-MM-dd'T'HH:mm:ss[XXX][XX][X]",
    "%Y/%m/%d %H:%M:%S": "yyyy/MM/dd HH:mm:ss",
}
"""DuckDB's notations of time and Spark's. Spark 3 and 4 read no names of days, so those are cut off before."""
_DATE = r"^\s*[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}"
"""What Spark may read as a time: it also takes a bare year, and hours of today."""
_JAVA_NUMBER = r"[0-9.][dDfF]\s*$|[xX]"
"""What Java takes for a number besides: with its type behind it, or in hexadecimal."""


class UnknownFunctionError(Exception):
    """The SQL has a function that nobody has compared between the engines."""


def to_spark(sql: str, values: Mapping[str, object] | None = None) -> str:
    """Return a statement of DuckDB's dialect in Spark's.

    Args:
        sql: One SELECT.
        values: What its named parameters stand for; they become literals.

    Raises:
        UnknownFunctionError: when a function is on no list.
    """
    tree = expand(parse_one(sql, read="duckdb"))
    for node in reversed(list(tree.walk(bfs=False))):  # from the leaves up: what is written is not rewritten
        new = _bound(node, values or {}) or _rewritten(node)
        if new is not node:
            node.replace(new)
    _refuse_unknown(tree)
    return tree.sql(dialect="spark")


def _refuse_unknown(tree: exp.Expr) -> None:
    for node in tree.find_all(exp.Func):
        named = isinstance(node, exp.Anonymous)
        known = str(node.this).lower() in SPARKS_OWN if named else node.key in KNOWN
        if not known:
            raise UnknownFunctionError(f"{node.sql(dialect='duckdb')[:80]} ({node.key})")


def _bound(node: exp.Expr, values: Mapping[str, object]) -> exp.Expr | None:
    return exp.convert(values[node.name]) if isinstance(node, (exp.Placeholder, exp.Parameter)) else None


def _rewritten(node: exp.Expr) -> exp.Expr:
    """Return what Spark calls it."""
    if isinstance(node, exp.Anonymous):
        rewrite = _BY_NAME.get(str(node.this).lower())
        return rewrite(node) if rewrite is not None else node
    for kind, change in _BY_KIND.items():
        if isinstance(node, kind):
            return change(node)
    return node


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _ntz(node: exp.Expr) -> exp.Expr:
    return exp.Cast(this=node, to=exp.DataType(this=_TYPES.TIMESTAMPNTZ))


def _micros(time: exp.Expr) -> exp.Expr:
    return _call("unix_micros", exp.Cast(this=time, to=exp.DataType(this=_TYPES.TIMESTAMPLTZ)))


def _of_micros(number: exp.Expr) -> exp.Expr:
    return _ntz(_call("timestamp_micros", number))


def _div(number: exp.Expr, by: int) -> exp.Expr:
    return exp.Paren(this=exp.IntDiv(this=number, expression=exp.Literal.number(by)))


def _bucket(node: exp.DateBin) -> exp.Expr:
    """Buckets begin with 1970 in both: all widths divide a day."""
    interval = node.this
    unit = str(interval.args["unit"]).rstrip("S").upper()
    if unit != "SECOND":
        raise UnknownFunctionError(f"a bucket in {unit}")
    micros = int(interval.this.name) * 1_000_000
    start = exp.Mul(this=_div(_micros(node.expression), micros), expression=exp.Literal.number(micros))
    return _of_micros(start)


def _seconds_between(node: exp.DateDiff) -> exp.Expr:
    """DuckDB counts the seconds' borders between two times, Spark whole seconds."""
    if str(node.args.get("unit")).upper() != "SECOND":
        raise UnknownFunctionError(f"date_diff in {node.args.get('unit')}")
    ends = (_div(_micros(time), 1_000_000) for time in (node.this, node.expression))
    return exp.Paren(this=exp.Sub(this=next(ends), expression=next(ends)))


def _hash(node: exp.Anonymous) -> exp.Expr:
    """Spark's own hash has 32 bits; none of its hashes tells a missing value from none."""
    parts = [part for value in node.expressions for part in (_call("isnull", value.copy()), value)]
    return _call("xxhash64", *parts)


def _timezone(node: exp.Anonymous) -> exp.Expr:
    zone, time = node.expressions
    return _call("to_utc_timestamp", exp.Cast(this=time, to=exp.DataType(this=_TYPES.TIMESTAMPLTZ)), zone)


def _duration(node: exp.Anonymous) -> exp.Expr:
    zero = exp.Literal.number(0)
    return _call("make_dt_interval", zero, zero.copy(), zero.copy(), *node.expressions)


def _strptime(node: exp.Anonymous) -> exp.Expr:
    text, formats = node.expressions
    tries = []
    for form in formats.expressions:
        java, read = _JAVA_TIMES[form.name], text.copy()
        if java.startswith("EEE, "):
            java, cut = java.removeprefix("EEE, "), exp.Literal.string(r"^[A-Za-z]{3}, ")
            read = exp.RegexpReplace(this=read, expression=cut, replacement=exp.Literal.string(""))
        tries.append(_call("try_to_timestamp", read, exp.Literal.string(java)))
    return exp.Coalesce(this=tries[0], expressions=tries[1:])


def _cast(node: exp.Cast) -> exp.Expr:
    """Name times by whether they have a zone, and read no more into text than DuckDB does."""
    kind, value = node.to.this, node.this
    if kind == _TYPES.TIMESTAMPTZ:
        node.set("to", exp.DataType(this=_TYPES.TIMESTAMPLTZ))
    elif kind in {_TYPES.TIMESTAMP, _TYPES.TIMESTAMPNTZ}:
        node.set("to", exp.DataType(this=_TYPES.TIMESTAMPNTZ))
    guard: exp.Expr | None = None
    if isinstance(node, exp.TryCast):
        if kind in {_TYPES.TIMESTAMPTZ, _TYPES.TIMESTAMP, _TYPES.TIMESTAMPNTZ}:
            guard = exp.RegexpLike(this=value.copy(), expression=exp.Literal.string(_DATE))
            slash, dash = exp.Literal.string("/"), exp.Literal.string("-")
            value = exp.Replace(this=value, expression=slash, replacement=dash)
        elif kind == _TYPES.DOUBLE:
            odd = exp.RegexpLike(this=value.copy(), expression=exp.Literal.string(_JAVA_NUMBER))
            guard = exp.Not(this=odd)
    if guard is not None:
        node.set("this", exp.Case(ifs=[exp.If(this=guard, true=value)]))
    return node


def _make_timestamp(node: exp.UnixToTime) -> exp.Expr:
    """Refuse `epoch_ms`, which is the other way round in DuckDB where it is given a time."""
    if node.text("scale") != "6":
        raise UnknownFunctionError(node.sql(dialect="duckdb"))
    return _of_micros(node.this)


def _trim(node: exp.Trim) -> exp.Expr:
    """DuckDB cuts off every kind of space that Unicode knows, and no tabs; Spark cuts off the plain one alone."""
    if node.expression is not None:
        raise UnknownFunctionError(node.sql(dialect="duckdb"))
    ends = exp.Literal.string(r"\A\p{Zs}+|\p{Zs}+\z")
    return exp.RegexpReplace(this=node.this, expression=ends, replacement=exp.Literal.string(""))


def _full_match(node: exp.RegexpFullMatch) -> exp.Expr:
    whole = exp.Concat(
        expressions=[exp.Literal.string("\\A(?:"), node.expression, exp.Literal.string(")\\z")],
        safe=False,
        coalesce=False,
    )
    return exp.RegexpLike(this=node.this, expression=whole)


_BY_NAME: dict[str, Callable[[exp.Anonymous], exp.Expr]] = {
    "hash": _hash,
    "timezone": _timezone,
    "to_seconds": _duration,
    "try_strptime": _strptime,
    "epoch_us": lambda node: _micros(node.expressions[0]),
    "isinf": lambda node: exp.EQ(
        this=exp.Abs(this=node.expressions[0]), expression=exp.cast(exp.Literal.string("Infinity"), "double")
    ),
}
_BY_KIND: dict[type[exp.Expr], Callable[..., exp.Expr]] = {
    exp.DateBin: _bucket,
    exp.DateDiff: _seconds_between,
    exp.TryCast: _cast,
    exp.Cast: _cast,
    exp.RegexpFullMatch: _full_match,
    exp.UnixToTime: _make_timestamp,
    exp.Trim: _trim,
}

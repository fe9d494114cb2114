"""Write out `* EXCLUDE (…) REPLACE (…)`, which Spark 3 does not have."""

from __future__ import annotations

from sqlglot import exp


def expand(tree: exp.Expr) -> exp.Expr:
    """Replace every star that leaves out or replaces columns by the columns of the subquery that it is about."""
    for select in reversed(list(tree.find_all(exp.Select))):  # the inner ones first
        for star in [one for one in select.expressions if isinstance(one, exp.Star) and _changes(one)]:
            source = (select.args.get("from_") or select.args["from"]).this
            names = _names(source)
            without = {one.name for one in star.args.get("except_") or star.args.get("except") or ()}
            instead = {one.alias: one for one in star.args.get("replace") or ()}
            listed = [
                instead.get(name) or exp.column(name, quoted=True) for name in names if name not in without
            ]
            at = select.expressions.index(star)
            select.set("expressions", [*select.expressions[:at], *listed, *select.expressions[at + 1 :]])
    return tree


def _changes(star: exp.Star) -> bool:
    return any(star.args.get(name) for name in ("except_", "except", "replace"))


def _names(source: exp.Expr) -> list[str]:
    """Return the columns of a subquery, which must name them."""
    if not isinstance(source, exp.Subquery) or not isinstance(source.this, exp.Select):
        raise TypeError(f"a star over something else than a subquery: {source.sql()[:80]}")
    names: list[str] = []
    for one in source.this.expressions:
        if isinstance(one, exp.Star):
            names += _names((source.this.args.get("from_") or source.this.args["from"]).this)
        else:
            names.append(one.alias_or_name)
    return names

"""The tree of losses of the reference: learnt from its rows, kept as a document, asked in SQL; see `metrics.loss_tree`.

The document nests questions: a number is a leaf, and a question names a feature, or nothing for the predicted value.
`{"feature": "age", "upto": 40.0, "open": true, "yes": 0, "no": 1}` asks for ages below 40 or missing (`open` excludes
40 itself; without `upto`, for missing ones alone), and `{"feature": "city", "among": ["a"], "missing": false, …}` for
cities.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from mlwatch.asking import meta_value, number
from mlwatch.metrics.bin_sql import MISSING, sql_number
from mlwatch.sources.sql import literal
from mlwatch.store.rollup import RESIDUAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from mlwatch.metrics.loss_tree import Tree
    from mlwatch.store.feature_rollup import FeatureBins
    from mlwatch.store.registry import Kind

KEY = "reference_losses"
"""Where the table `meta` holds the document."""
VALUE = "TRY_CAST(prediction AS DOUBLE)"
CELLS = 2_000_000
"""Rows times columns that a tree is learnt from."""
DEEPEST = 100
COMMON = 50
"""Categories that are told apart; the others are one."""
LARGEST = 1e150
"""Errors beyond this overflow when they are squared."""

Node: TypeAlias = "int | dict[str, Any]"


@dataclass(frozen=True, slots=True)
class LossTree:
    """Questions, and the losses of the reference's rows in each leaf."""

    root: Node
    sums: tuple[tuple[int, float, float, float], ...]
    """Of each leaf: rows, Σ|e|, Σe², Σe⁴."""

    @classmethod
    def of_document(cls, found: Mapping[str, Any]) -> LossTree:
        """Read a document.

        Raises:
            KeyError, TypeError, ValueError: when it is none.
        """
        sums = tuple((int(n), float(a), float(s), float(f)) for n, a, s, f in found["leaves"])
        return cls(_checked(found["tree"], len(sums)), sums)

    def document(self) -> dict[str, Any]:
        """Return what `of_document` reads."""
        return {"tree": self.root, "leaves": [list(row) for row in self.sums]}

    def leaf_sql(self, columns: Mapping[tuple[str, Kind], str]) -> str:
        """Return the leaf of a prediction as an INTEGER expression; −1 where none was made.

        Args:
            columns: The quoted column of each feature, by name and kind.
        """
        return f"CASE WHEN {VALUE} IS NULL THEN {MISSING} ELSE {_sql(self.root, columns)} END"


def _checked(node: Node, leaves: int, depth: int = 0) -> Node:
    """Return a node as `_sql` takes it."""
    if isinstance(node, int) and not isinstance(node, bool):
        if not 0 <= node < leaves:
            raise ValueError(f"no leaf {node}")
        return node
    if not isinstance(node, dict) or depth > DEEPEST:
        raise ValueError("no tree of losses")
    found: dict[str, Any] = {side: _checked(node[side], leaves, depth + 1) for side in ("yes", "no")}
    if "feature" in node:
        found["feature"] = str(node["feature"])
    if "among" in node:
        return {"among": [str(one) for one in node["among"]], "missing": bool(node["missing"]), **found}
    if "upto" in node:
        return {"upto": float(node["upto"]), "open": bool(node["open"]), **found}
    return found


def _sql(node: Node, columns: Mapping[tuple[str, Kind], str]) -> str:
    if isinstance(node, int):
        return str(node)
    numeric = "among" not in node
    missing = f"CAST(NULL AS {'DOUBLE' if numeric else 'VARCHAR'})"
    kind: Kind = "numeric" if numeric else "categorical"
    column = columns.get((node["feature"], kind), missing) if "feature" in node else VALUE
    sides = [_sql(node[side], columns) for side in ("yes", "no")]
    if numeric:
        asked = f"{column} IS NULL OR isnan({column})"
        if "upto" in node:
            asked += f" OR {column} {'<' if node['open'] else '<='} {sql_number(node['upto'])}"
    else:
        asked = f"{column} IN ({', '.join(map(literal, node['among'])) or 'NULL'})"
        asked += f" OR {column} IS NULL" if node["missing"] else ""
    return f"CASE WHEN {asked} THEN {sides[0]} ELSE {sides[1]} END"


def recall(connection: DuckDBPyConnection) -> LossTree | None:
    """Return the tree that a store holds."""
    said = meta_value(connection, KEY)
    return None if said is None else of_text(said)


def of_text(text: str) -> LossTree:
    """Read a tree as `keep` wrote it."""
    return LossTree.of_document(json.loads(text))


def keep(connection: DuckDBPyConnection, tree: LossTree | None) -> None:
    """Put a tree in the place of the one that a store holds; None takes it away."""
    connection.execute("DELETE FROM meta WHERE key = ?", [KEY])
    if tree is not None:
        connection.execute("INSERT INTO meta VALUES (?, ?)", [KEY, json.dumps(tree.document())])


def learn(
    connection: DuckDBPyConnection, features: Sequence[tuple[str, FeatureBins]], relation: str = "given"
) -> LossTree | None:
    """Return the tree of the losses of a reference's rows; None where no question tells anything.

    Args:
        connection: Any that has the rows, which are of a regression, and the categories of their features.
        features: Name and bins of each feature, and of the predicted value under the name of "".
        relation: The rows, as a FROM item.
    """
    import numpy as np  # noqa: PLC0415

    from mlwatch.metrics.loss_tree import grow  # noqa: PLC0415

    e, rows = f"({RESIDUAL})", f"{relation} WHERE ABS({RESIDUAL}) < {sql_number(LARGEST)}"
    columns = [_Column(name, bins, _common(connection, bins)) for name, bins in features]
    total = number(connection, f"SELECT COUNT(*) FROM {rows}")
    every = 1 + total * len(columns) // CELLS
    listed = ", ".join(f"{column.bins.expression} AS c{at}" for at, column in enumerate(columns))
    losses, *values = (
        connection.execute(
            f"SELECT ABS({e}), {listed} FROM {rows} AND hash(prediction, label, ts) % {every} = 0"
        )
        .fetchnumpy()
        .values()
    )
    codes = [column.codes(each) for column, each in zip(columns, values, strict=True)]
    tree = grow(np.column_stack(codes), [not column.names for column in columns], losses)
    if tree is None:
        return None
    root = _document(tree, columns, count())
    leaf = LossTree(root, ()).leaf_sql({(name, bins.kind): bins.expression for name, bins in features})
    sums = connection.execute(
        f"""SELECT {leaf}, COUNT(*), SUM(ABS({e})), SUM({e} * {e}), SUM(POWER({e}, 4)) FROM {rows}
        GROUP BY 1 ORDER BY 1"""
    ).fetchall()
    return LossTree(root, tuple(row[1:] for row in sums))


@dataclass(frozen=True, slots=True)
class _Column:
    """A feature that leaves are told apart by."""

    name: str
    bins: FeatureBins
    names: tuple[str, ...]
    """Of its common categories, by code; empty for numbers."""

    def codes(self, values: Any) -> NDArray[Any]:
        """Return the bins of values as the engine hands them out."""
        import numpy as np  # noqa: PLC0415

        from mlwatch.metrics.bins import numeric_bin  # noqa: PLC0415

        if self.bins.kind == "numeric":
            return numeric_bin(np.ma.filled(values, np.nan), self.bins.edges)
        known = {name: code for code, name in enumerate(self.names)} | {None: MISSING}
        return np.array([known.get(value, COMMON) for value in np.ma.filled(values, None)])


def _common(connection: DuckDBPyConnection, bins: FeatureBins) -> tuple[str, ...]:
    if bins.kind == "numeric":
        return ()
    rows = connection.execute(
        "SELECT category FROM categories WHERE feature = ? AND bin < ? ORDER BY bin", [bins.number, COMMON]
    ).fetchall()
    return tuple(name for (name,) in rows)


def _document(tree: Tree, columns: Sequence[_Column], leaves: Iterator[int]) -> Node:
    """Return a tree as a document; its leaves are numbered from left to right."""

    def of(node: Tree) -> Node:
        if node is None:
            return next(leaves)
        column = columns[node.column]
        question: dict[str, Any] = {"feature": column.name} if column.name else {}
        yes, no = of(node.then), of(node.other)
        if column.bins.kind == "numeric":
            edges, last = column.bins.edges, max(node.codes)
            if last >= 0:
                question |= {"upto": edges[last], "open": last < len(edges) - 1}
        else:
            codes = set(node.codes)
            if COMMON in codes:  # what is not among some categories: ask for the others
                codes, yes, no = set(range(MISSING, COMMON)) - codes, no, yes
            among = [name for code, name in enumerate(column.names) if code in codes]
            question |= {"among": among, "missing": MISSING in codes}
        return {**question, "yes": yes, "no": no}

    return of(tree)

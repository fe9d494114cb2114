"""Quote names and values for SQL text: whatever comes from a log passes through here or is a bound parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.elements import element_of, is_element

if TYPE_CHECKING:
    from collections.abc import Mapping

ROW = '"row of mlwatch"'
"""Alias of a relation whose rows are asked for whole: a column of that name would be taken instead."""


def identifier(name: str) -> str:
    """Quote a column, table or field name."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a string value."""
    return "'" + text.replace("'", "''") + "'"


def path_expression(path: tuple[str, ...]) -> str:
    """Access a column, or a field or element inside a structured one."""
    expression = identifier(path[0])
    for name in path[1:]:
        at = element_of(name)
        expression = (
            f"struct_extract({expression}, {literal(name)})" if at is None else f"{expression}[{at + 1}]"
        )
    return expression


def columns_literal(types: Mapping[tuple[str, ...], str]) -> str:
    """Write the `columns` argument of a reader: a type for every top-level name, structs for nested paths."""
    return "{" + ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in _top(types).items()) + "}"


def pointer(path: tuple[str, ...]) -> str:
    """Write a path as a JSON pointer (RFC 6901)."""
    parts = [name.replace("~", "~0").replace("/", "~1") for name in path]
    places = [element_of(name) for name in path[1:]]
    parts[1:] = [part if at is None else str(at) for part, at in zip(parts[1:], places, strict=True)]
    return "".join(f"/{part}" for part in parts)


Tree = dict[str, "str | Tree"]


def _nested(types: Mapping[tuple[str, ...], str]) -> Tree:
    tree: Tree = {}
    for path, kind in types.items():
        node = tree
        for name in path[:-1]:
            child = node.setdefault(name, {})
            if isinstance(child, str):
                child = node[
                    name
                ] = {}  # a value in some records, an object in others: the object's fields win
            node = child
        node.setdefault(path[-1], kind)
    return tree


def _top(types: Mapping[tuple[str, ...], str]) -> dict[str, str]:
    return {name: _type(node) for name, node in _nested(types).items()}


def _type(node: str | Tree) -> str:
    if isinstance(node, str):
        return node
    if all(map(is_element, node)):
        return f"{_type(next(iter(node.values())))}[]"
    return "STRUCT(" + ", ".join(f"{identifier(name)} {_type(child)}" for name, child in node.items()) + ")"

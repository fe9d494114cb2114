"""Compare documents number by number: sums may be added up in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


def leaves(value: Any, leave_out: Collection[str] = (), path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each number and text of a document with its path, without what lies below some keys."""
    if isinstance(value, dict):
        for key, child in value.items():
            if key not in leave_out:
                yield from leaves(child, leave_out, f"{path}.{key}")
    elif isinstance(value, list):
        for number, child in enumerate(value):
            yield from leaves(child, leave_out, f"{path}.{number}")
    else:
        yield path, value


def assert_alike(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Assert that the leaves of two documents are equal, but for the last digits of fractions."""
    assert set(found) == set(expected)
    for key, value in found.items():
        wanted = expected[key]
        if isinstance(value, float) and wanted is not None:
            wanted = pytest.approx(wanted, rel=1e-9, abs=1e-12)
        assert value == wanted, (key, value, wanted)

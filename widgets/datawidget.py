"""Widgets that show one value made of arrays, and repaint only when it changes."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from widgets.drawn import Drawn

Data = TypeVar("Data")


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, arrays by their elements and NaN equal to NaN."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if is_dataclass(one):
        return all(same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))
    return bool(one == other) or (isinstance(one, float) and one != one and other != other)  # noqa: PLR0124 - NaN


class DataWidget(Drawn, Generic[Data]):
    """A widget that shows one value.

    Args:
        data: What is shown; the subclass says of which type and shape.
    """

    def __init__(
        self,
        data: Data,
        *,
        ascii_only: bool = False,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - the name Textual gives it
        classes: str | None = None,
    ) -> None:
        super().__init__(ascii_only=ascii_only, name=name, id=id, classes=classes)
        self._data = data

    @property
    def data(self) -> Data:
        """What is shown."""
        return self._data

    def update(self, data: Data) -> None:
        """Show other data; repaints only if they differ."""
        if not same(data, self._data):
            self._data = data
            self.redraw()

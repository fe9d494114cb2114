"""The rows of a person's statement, a page at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.app.panels.base import Viewed
from widgets.fasttable import Cell, Column, FastTable, Row

if TYPE_CHECKING:
    from mlwatch.app.view import View
    from mlwatch.records.desk import Answer

PAGE = 200
LONGEST = 120


class AnswerTable(Viewed, FastTable):
    """Show one page of an answer; it sorts and filters within the page."""

    can_focus = True
    HELP_TEXT = (
        "The rows of the answer. < and > sort the page, / filters it, n and p turn pages, e writes all rows."
    )

    empty = "The rows of the statement come here; ^up recalls an earlier one."

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__((), ascii_only=ascii_only, id="answer", classes="boxed")
        self._answer: Answer | None = None

    def take(self, view: View) -> None:
        """Wait for an answer: the screen asks for it."""

    def show_answer(self, answer: Answer, page: int) -> None:
        """Show one page of an answer."""
        if self._answer is None or answer.columns != self._answer.columns:
            self.sort_by(None)
        self._answer, self.empty = answer, "no rows: nothing fits the statement"
        self.set_columns(
            Column(str(at), name, "right" if number else "left", least=8 if number else 16)
            for at, (name, number) in enumerate(zip(answer.columns, answer.numeric, strict=True))
        )
        first = page * PAGE
        rows = answer.rows[first : first + PAGE]
        self.update([_row(first + at, row, answer.numeric) for at, row in enumerate(rows)])


def _row(number: int, values: tuple[str | None, ...], numeric: tuple[bool, ...]) -> Row:
    cells = tuple(_cell(value, number) for value, number in zip(values, numeric, strict=True))
    return Row(str(number), cells)


def _cell(value: str | None, number: bool) -> Cell:
    if value is None:
        return Cell("NULL", "muted", float("nan"))
    return Cell(value[:LONGEST], order=float(value) if number else None)

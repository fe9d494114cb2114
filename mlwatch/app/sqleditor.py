"""The text area for SQL: coloured, with names completed at the cursor."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.text import Text
    from textual import events


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


KEYWORDS = _words("""
    select from where group by order limit offset having qualify with as and or not in is null like ilike between case
    when then else end distinct join left right full inner outer cross on using union all except intersect asc desc
    nulls first last over partition filter cast values exists recursive true false interval lateral asof sample
""")
FUNCTIONS = _words("""
    count sum avg min max median quantile_cont stddev approx_quantile arg_max arg_min date_trunc time_bucket coalesce
    round abs lower upper contains regexp_matches row_number lag lead list unnest try_cast isnan
""")
_WORD = re.compile(r"[A-Za-z_][\w.]*$")
_PIECES = re.compile(
    r"(?P<comment>--.*$)|(?P<text>'(?:[^']|'')*'?)|(?P<name>\"(?:[^\"]|\"\")*\"?)"
    r"|(?P<number>\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|(?P<word>\b[A-Za-z_]\w*\b)"
)


class SqlEditor(TextArea):
    """Write one SELECT; enter after a semicolon, F5 or ctrl+j runs it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5,ctrl+j", "run", "Run", key_display="F5", tooltip="Run the statement", priority=True),
        Binding("ctrl+up", "recall(-1)", "Statement before", key_display="^up", tooltip="Recall a statement"),
        Binding("ctrl+down", "recall(1)", "Statement after", show=False),
        Binding(
            "escape",
            "leave",
            "Leave",
            key_display="esc",
            tooltip="Stop the statement, or leave",
            priority=True,
        ),
    ]

    class Run(Message):
        """The statement is to run."""

    class Recall(Message):
        """An older or a newer statement is wanted."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    class Left(Message):
        """Escape was pressed."""

    def __init__(self) -> None:
        super().__init__(
            "", id="sql", compact=True, show_line_numbers=False, soft_wrap=True, classes="boxed first-focus",
            placeholder="SELECT version, count(*) FROM predictions GROUP BY 1;",
        )  # fmt: skip
        self._names: tuple[str, ...] = (*KEYWORDS, *FUNCTIONS)

    def learn(self, tables: Mapping[str, Iterable[str]]) -> None:
        """Take names of tables and columns for completion."""
        columns = dict.fromkeys(name for names in tables.values() for name in names)
        self._names = tuple(dict.fromkeys((*tables, *columns, *KEYWORDS, *FUNCTIONS)))

    def update_suggestion(self) -> None:
        """Offer the rest of the name at the cursor; right takes it."""
        row, column = self.cursor_location
        line = self.document.get_line(row)
        self.suggestion = complete(line[:column], self._names) if column == len(line) else ""

    def get_line(self, line_index: int) -> Text:
        """Return a line with its colours."""
        line = super().get_line(line_index)
        if (
            not line.plain.isprintable()
        ):  # from the history, or a paste: nothing of it may act on the terminal
            line.plain = "".join(char if char.isprintable() or char == "\t" else "�" for char in line.plain)
        variables = self.app.theme_variables
        tones = {
            "comment": f"italic {variables['quiet']}", "text": variables["good"], "number": variables["unclear"],
            "name": variables["candidate"], "word": f"bold {variables['baseline']}",
        }  # fmt: skip
        for found in _PIECES.finditer(line.plain):
            kind = found.lastgroup or ""
            if kind != "word" or found[0].lower() in _KNOWN:
                line.stylize(tones[kind], found.start(), found.end())
        return line

    async def _on_key(self, event: events.Key) -> None:
        """Run on enter where the statement ends with a semicolon."""
        if event.key == "enter" and self.text.rstrip().endswith(";") and self.cursor_at_end_of_text:
            event.stop()
            event.prevent_default()
            self.action_run()
        elif event.key == "tab" and self.suggestion:
            event.stop()
            event.prevent_default()
            self.insert(self.suggestion)
        else:
            await super()._on_key(event)

    async def _on_paste(self, event: events.Paste) -> None:
        """Leave out of a paste what acts on a terminal or hides."""
        event.text = "".join(char for char in event.text if char.isprintable() or char in "\n\t")
        await super()._on_paste(event)

    def action_run(self) -> None:
        """Ask for the answer."""
        self.post_message(self.Run())

    def action_recall(self, by: int) -> None:
        """Ask for another statement of the past."""
        self.post_message(self.Recall(by))

    def action_leave(self) -> None:
        """Tell that escape was pressed."""
        self.post_message(self.Left())


_KNOWN = frozenset((*KEYWORDS, *FUNCTIONS))


def complete(before: str, names: Iterable[str]) -> str:
    """Return what is missing of the name that ends a text; empty where nothing fits, or inside a quoted text."""
    if before.count("'") % 2 or "--" in before:
        return ""
    found = _WORD.search(before)
    if found is None:
        return ""
    word = found[0].rpartition(".")[2]
    if len(word) < 2:
        return ""
    return next((name[len(word) :] for name in names if _continues(name, word)), "")


def _continues(name: str, word: str) -> bool:
    return len(name) > len(word) and name.lower().startswith(word.lower()) and name.isidentifier()

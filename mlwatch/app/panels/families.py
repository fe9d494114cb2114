"""The heart of the overview: four families of numbers, baseline beside candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive

from mlwatch.app.catalogue import FAMILIES, Family
from mlwatch.app.drawing import Piece, cell, clean, line, wrapped
from mlwatch.app.panels.base import TALL, Panel
from mlwatch.app.panels.columns import Columns, Names, head, row_pieces
from mlwatch.app.rows import MetricRow, detail, metric_rows, unseen
from mlwatch.app.units import counted, show, show_count, show_duration
from mlwatch.app.waiting import reading

if TYPE_CHECKING:
    from textual import events
    from textual.geometry import Size

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.view import View
    from mlwatch.snapshot.types import Version


@dataclass(frozen=True, slots=True)
class FamiliesState:
    """Everything the table shows."""

    names: Names
    rows: tuple[MetricRow, ...]
    notes: tuple[tuple[Family, str], ...]
    """What stands at the right of each family's heading."""
    empty: str
    """What to say where there are no rows."""
    glyphs: Glyphs


@dataclass(frozen=True, slots=True)
class Plan:
    """How the table uses its height: which rows, and how the families are told apart."""

    rows: tuple[MetricRow, ...]
    headings: bool
    spaced: bool


class FamiliesPanel(Panel[FamiliesState]):
    """Show each number of baseline and candidate with its change; the chosen row is explained below."""

    HELP_TEXT = (
        "Each row is one number: baseline, candidate, the change and what it means. "
        "pt are percentage points. "
        "An interval with Δ (d without Unicode) is that of the change, which the rollout judges: each end of it holds "
        "at 95 % however often one looks. One without is the 95 % interval of the candidate's value. "
        "Up and down choose a row; the last line explains it in full."
    )
    WAITING = "Opening the logs and reading what is there."
    can_focus = True

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Previous row", show=False),
        Binding("down,j", "move(1)", "Next row", show=False),
        Binding("home", "move(-1000)", "First row", show=False),
        Binding("end", "move(1000)", "Last row", show=False),
    ]

    cursor: reactive[str] = reactive("", init=False)
    """Key of the chosen row."""

    class Chosen(Message):
        """A row was chosen."""

        def __init__(self, key: str) -> None:
            self.key = key
            super().__init__()

    def __init__(self, identity: str, only: Family | None = None, *, classes: str | None = None) -> None:
        super().__init__(identity, classes=classes)
        self._only = only
        self._keys_at: dict[int, str] = {}
        self._offset = 0
        self._drawn: dict[tuple[str, bool], Content] = {}
        """By its key, and whether it is the first of its family: lines of rows."""
        self._drawn_of: FamiliesState | None = None
        self._drawn_in: tuple[Columns, int] | None = None

    def watch_cursor(self, key: str) -> None:
        """Tell the screen, so that a chart can follow."""
        self.post_message(self.Chosen(key))

    def show(self, state: FamiliesState | None) -> None:
        """Tell the screen which row is chosen where there is none of the wanted name: a regression has no accuracy."""
        if state is not None and state.rows and self.cursor and self._chosen(state).key != self.cursor:
            self.cursor = self._chosen(state).key

    def digest(self, view: View) -> FamiliesState:
        """Return the rows of the chosen model."""
        baseline, candidate = view.baseline, view.candidate
        names = Names(
            baseline=clean(baseline.name, 40) if baseline else "",
            candidate=clean(candidate.name, 40) if candidate else None,
        )
        rows = tuple(row for row in metric_rows(view) if self._only in (None, row.family))
        return FamiliesState(names, rows, tuple(_notes(view).items()), _empty(view), view.glyphs)

    def lines(self, state: FamiliesState, size: Size) -> list[Content]:
        """Draw heading, rows and the explanation of the chosen row."""
        width, height = size
        if not state.rows:
            return [line([(text, "$quiet")], width, state.glyphs) for text in wrapped(state.empty, width, 4)]
        explained = self._explanation(state, width, _explained_in(state, height))
        room = max(1, height - 1 - len(explained))
        plan = plan_rows(state.rows, room, width)
        longest = max(cell_len(row.label) for row in plan.rows)
        columns = Columns.fitting(width, state.names, headings=plan.headings, longest=longest)
        body, chosen = self._body(state, plan, columns, width)
        offset = max(0, min(chosen - room + 2, len(body) - room))
        self._offset = offset
        shown = body[offset : offset + room]
        shown += [Content("")] * (room - len(shown) if height < TALL else 0)
        return [line(head(columns, state.names, state.glyphs), width, state.glyphs), *shown, *explained]

    def _body(
        self, state: FamiliesState, plan: Plan, columns: Columns, width: int
    ) -> tuple[list[Content], int]:
        """Return all lines of the plan and the index of the chosen one."""
        notes = dict(state.notes)
        body: list[Content] = []
        chosen, family = 0, None
        at_line: dict[int, str] = {}
        for row in plan.rows:
            first = row.family != family
            family = row.family
            if first and plan.headings:
                body += [Content("")] if plan.spaced and body else []
                body.append(_heading(row.family, notes.get(row.family, ""), width, state.glyphs))
            if row.key == self._chosen(state).key:
                chosen = len(body)
            is_chosen = chosen == len(body) and row.key == self._chosen(state).key
            at_line[len(body)] = row.key
            body.append(self._marked(self._row(state, row, columns, width, first=first), is_chosen))
        self._keys_at = at_line
        return body, chosen

    def _row(
        self, state: FamiliesState, row: MetricRow, columns: Columns, width: int, *, first: bool
    ) -> Content:
        """Return the line of a row; moving the cursor draws none anew."""
        if self._drawn_of is not state or self._drawn_in != (columns, width):
            self._drawn, self._drawn_of, self._drawn_in = {}, state, (columns, width)
        drawn = self._drawn.get((row.key, first))
        if drawn is None:
            drawn = line(row_pieces(row, columns, state.glyphs, first=first), width, state.glyphs)
            self._drawn[row.key, first] = drawn
        return drawn

    def _marked(self, content: Content, chosen: bool) -> Content:
        if not (chosen and self.has_focus):
            return content
        return content.stylize("on $block-cursor-background")

    def _explanation(self, state: FamiliesState, width: int, most: int) -> list[Content]:
        text = detail(self._chosen(state), state.names.baseline, state.names.candidate)
        broken = wrapped(clean(text), width - 2, most)
        broken += [""] * (most - len(broken))
        mark = [state.glyphs.cursor + " "] + ["  "] * (most - 1)
        return [
            line([(begin, "$primary"), (part, "$heading")], width, state.glyphs)
            for begin, part in zip(mark, broken, strict=True)
        ]

    def _chosen(self, state: FamiliesState) -> MetricRow:
        return next((row for row in state.rows if row.key == self.cursor), state.rows[0])

    def action_move(self, by: int) -> None:
        """Choose another of the rows that are drawn."""
        if self.state is None or not self.state.rows:
            return
        width, height = self.content_size
        rows = plan_rows(self.state.rows, max(1, height - 1 - _explained_in(self.state, height)), width).rows
        keys = [row.key for row in rows]
        current = self._chosen(self.state).key
        at = keys.index(current) if current in keys else 0
        self.cursor = keys[max(0, min(at + by, len(keys) - 1))]

    def on_click(self, event: events.Click) -> None:
        """Choose the row under the mouse."""
        at = event.get_content_offset_capture(self).y - 1 + self._offset
        self.cursor = self._keys_at.get(at, self.cursor)

    def on_focus(self, _event: events.Focus) -> None:
        """Show the cursor."""
        self.refresh()

    def on_blur(self, _event: events.Blur) -> None:
        """Hide the cursor."""
        self.refresh()


def _explained_in(state: FamiliesState, height: int) -> int:
    """Return the lines for the explanation: two, unless a row would have to go for the second."""
    essential = sum(row.rank == 1 for row in state.rows)
    return 2 if height >= essential + 3 else 1


def plan_rows(rows: tuple[MetricRow, ...], room: int, width: int) -> Plan:
    """Choose the rows and the layout that use the room best; what does not fit scrolls.

    Args:
        rows: All rows.
        room: Lines that there are.
        width: Cells of a line; a narrow table has no room for a column of family names.
    """
    families = len({row.family for row in rows})
    for spaced, rank in ((True, 3), (True, 2), (True, 1), (False, 2), (False, 1)):
        chosen = tuple(row for row in rows if row.rank <= rank)
        left = room - len(chosen) - families - (families - 1 if spaced else 0)
        if left >= 0:
            return Plan(_filled(rows, chosen, left), headings=True, spaced=spaced)
    essential = tuple(row for row in rows if row.rank == 1)
    return Plan(essential, headings=width < 60, spaced=False)


def _filled(rows: tuple[MetricRow, ...], chosen: tuple[MetricRow, ...], left: int) -> tuple[MetricRow, ...]:
    """Add up to `left` of the rows that were not chosen: the most important first, each family in turn."""
    taken: dict[Family, int] = {}
    turns: list[tuple[int, int, int, str]] = []
    for at, row in sorted(enumerate(rows), key=lambda placed: placed[1].rank):
        if row not in chosen:
            taken[row.family] = taken.get(row.family, 0) + 1
            turns.append((row.rank, taken[row.family], at, row.key))
    keys = {row.key for row in chosen} | {key for *_, key in sorted(turns)[:left]}
    return tuple(row for row in rows if row.key in keys)


def _heading(family: Family, note: str, width: int, glyphs: Glyphs) -> Content:
    title = FAMILIES[family][0]
    right = f" {note}" if note else ""
    rest = max(0, width - len(title) - len(right) - 1)
    pieces: list[Piece] = [
        (title + " ", "bold $heading"),
        (glyphs.rule * rest, "$hairline"),
        (right, "$quiet"),
    ]
    if rest < 3:
        pieces = [cell(title, width, "bold $heading")]
    return line(pieces, width, glyphs)


NO_LABELS = "no labels yet: an outcome names a request id"


def _notes(view: View) -> dict[Family, str]:
    versions = [version for version in (view.baseline, view.candidate) if version]
    if not versions or view.model is None:
        return {}
    labelled = ", ".join(
        f"{clean(v.name, 20)} {_share_labelled(v.labelled, v.predictions)}" for v in versions
    ) + _label_lag(versions)
    requests = ", ".join(f"{clean(v.name, 20)} {show_count(v.predictions)}" for v in versions)
    return {
        "performance": f"labelled: {labelled}"
        if any(v.labelled for v in versions)
        else _unlabelled(view, versions),
        "quality": f"against {clean(view.model.reference, 50)}" if view.model.reference else "no reference",
        "health": f"requests: {requests}",
        "business": "; ".join(filter(None, (unseen(versions), _maturity(versions)))),
    }


def _unlabelled(view: View, versions: list[Version]) -> str:
    if view.snapshot.feed.stage == "reading":
        return "no labels so far, still reading"
    requests = sum(version.predictions for version in versions)
    if not requests:
        return "no requests in this time range"
    if requests == sum(version.errors.count for version in versions):
        return "no answers to judge: all requests failed"
    strays = view.snapshot.ingest.outcomes_unmatched
    return f"no labels: {counted(strays, 'outcome')} without a logged request" if strays else NO_LABELS


def _maturity(versions: list[Version]) -> str:
    """Return how much of the conversions to come there was the time for, where that is known."""
    known = [(clean(v.name, 20), v.maturity) for v in versions if v.maturity is not None]
    shares = ", ".join(f"{name} {show(share, 'share')}" for name, share in known)
    return f"of the conversions to come, so far: {shares}" if shares else ""


def _label_lag(versions: list[Version]) -> str:
    """Return how long labels take, of the version with most of them."""
    lag = max((version.label_lag for version in versions), key=lambda lag: lag.n)
    return f"; half within {show_duration(lag.p50_s)}" if lag.p50_s is not None else ""


def _share_labelled(labelled: int, predictions: int) -> str:
    if not predictions:
        return "none"
    return f"{100 * labelled / predictions:.0f} % of {show_count(predictions)}"


def _empty(view: View) -> str:
    if not view.snapshot.ingest.predictions:
        return reading(view) or (
            f"No predictions yet: mlwatch watches {clean(view.title, 60)} for new files. "
            "A prediction is a record with a time and a prediction or score: see ? for the formats."
        )
    return "No predictions in this time range. Press ] for a longer one."

"""The overlay that chooses which versions are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from mlwatch.app.drawing import clean
from mlwatch.app.panels.wrapping import Hints
from mlwatch.app.units import show, show_count, show_moment
from mlwatch.choice import Choice
from widgets.fasttable import Cell, Column, FastTable, Row

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from mlwatch.app.view import View
    from mlwatch.snapshot.types import Version

COLUMNS = (
    Column("version", "Version", least=10),
    Column("role", "Role", width=10),
    Column("n", "Predictions", "right", width=11),
    Column("labelled", "Labelled", "right", width=9),
    Column("errors", "Errors", "right", width=8),
    Column("first", "Since", width=16),
    Column("last", "Last seen", width=16),
)
KEYS = ("enter or c compare it", "b as the baseline", "o only it", "u as usual", "escape close")


class VersionsScreen(ModalScreen[Choice | None]):
    """List the versions of the model; any two of them can be compared, or one shown alone."""

    CSS_PATH = "../styles/overlays.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,v", "dismiss(None)", "Close"),
        Binding("c", "choose('candidate')", "Compare"),
        Binding("b", "choose('baseline')", "As the baseline"),
        Binding("o", "choose('only')", "Only it"),
        Binding("u", "choose('usual')", "As usual"),
    ]

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view
        self._versions = tuple(view.model.versions.values()) if view.model is not None else ()

    def compose(self) -> ComposeResult:
        """Yield the table of versions."""
        with Vertical(classes="overlay choices") as box:
            box.border_title = f"Versions of {clean(self._view.model_name or '', 40)}"
            rows = [self._row(place, version) for place, version in enumerate(self._versions)]
            yield FastTable(COLUMNS, rows, ascii_only=self._view.glyphs.ascii, id="versions")
            yield Hints(KEYS)

    def _row(self, place: int, version: Version) -> Row:
        zone, glyphs = self._view.zone, self._view.glyphs
        shown = {id(self._view.candidate): "candidate", id(self._view.baseline): "baseline"}.get(
            id(version), ""
        )
        mark = glyphs.live if shown else " "
        role = version.role if version.role != "other" else shown
        moments = [show_moment(at, zone) if at is not None else "" for at in (version.first, version.last)]
        return Row(
            str(place),
            (
                Cell(f"{mark} {clean(version.name, 60)}", f"${shown}" if shown else ""),
                Cell(role, "muted"),
                Cell(show_count(version.predictions), "", version.predictions),
                Cell(show_count(version.labelled), "", version.labelled),
                Cell(show(version.errors.rate, "share"), "", version.errors.rate),
                *(Cell(text, "muted") for text in moments),
            ),
        )

    @on(FastTable.RowSelected)
    def _select(self) -> None:
        self.action_choose("candidate")

    def action_choose(self, what: str) -> None:
        """End with what was chosen of the version under the cursor."""
        usual = replace(self._view.choice, baseline=None, candidate=None, alone=False)
        key = self.query_one(FastTable).cursor_key
        if what == "usual" or key is None:
            self.dismiss(usual)
            return
        chosen = self._versions[int(key)].name
        if what == "only":
            self.dismiss(replace(usual, baseline=chosen, alone=True))
            return
        other = self._other(chosen, what)
        if other is None:
            self.notify("There is no other version to compare it with.", markup=False)
        elif what == "baseline":
            self.dismiss(replace(usual, baseline=chosen, candidate=other))
        else:
            self.dismiss(replace(usual, baseline=other, candidate=chosen))

    def _other(self, chosen: str, what: str) -> str | None:
        """Return what a version is compared with: of those on show the one of the other role, else any other."""
        shown = (self._view.baseline, self._view.candidate)
        shown = shown[::-1] if what == "baseline" else shown
        names = (one.name for one in (*shown, *self._versions) if one is not None)
        return next((name for name in names if name != chosen), None)

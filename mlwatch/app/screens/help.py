"""The overlay that explains the screen under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from mlwatch.app.modes import SCREENS
from mlwatch.app.panels.base import Viewed
from mlwatch.app.panels.wrapping import NamedTexts
from mlwatch.app.scrolling import plain_bars

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.screen import Screen


def _keys(key: Callable[[str], str]) -> tuple[tuple[str, str], ...]:
    """Return the keys that work everywhere, and what they do.

    Args:
        key: Returns the key of an action.
    """
    screens = [key(mode) for mode, _, _ in SCREENS]
    usual = screens == [str(place) for place, _ in enumerate(SCREENS, start=1)]
    return (
        (key("quit"), "leave"),
        (key("freeze"), "freeze the picture, or let it go on"),
        (
            f"1 to {len(SCREENS)}" if usual else " ".join(screens),
            ", ".join(title.lower() for _, title, _ in SCREENS),
        ),
        (
            f"{key('shorter_range')} and {key('longer_range')}",
            f"shorter and longer time range; {key('cycle_range')} steps through all",
        ),
        (
            f"{key('zoom_in')} and {key('zoom_out')}",
            "zoom the time range in and out, around the cursor of a chart",
        ),
        (f"{key('pan_back')} and {key('pan_on')}", "move the time range back and on by half of it"),
        (key("refresh"), "refresh interval: look for news less often, after 60 s twice a second"),
        (key("next_model"), "next model"),
        (key("segment"), "segment: show only the records that pass a filter, in the whole app"),
        (key("versions"), "versions: compare any two, or show one alone"),
        (
            f"{key('earlier')} and {key('later')}",
            f"back and on in time; {key('play')} plays the past, or pauses",
        ),
        ("enter", "in a chart: the whole app shows what it is zoomed to, or the moment of its cursor"),
        ("drag", "in a chart: the whole app shows the stretch that the mouse marks"),
        ("tab", "next panel; on a small terminal it takes the place of the last"),
        ("up, down", "choose a row in the panel"),
        (key("zoom"), "give the focused panel the whole screen, or take it back"),
        (key("alerts"), "all alerts"),
        (key("toasts"), "toasts: warnings and critical alerts pop up, only critical ones, or none"),
        (key("quarantine"), "the quarantine: rejected lines with their reasons"),
        (key("save_screenshot"), "save this screen as SVG in the current directory"),
        ("ctrl+p", "command palette: every action by name"),
        (
            key("suspend_process"),
            "back to the shell; fg there goes on, and reads what came meanwhile",
        ),
        (key("help"), "this help; escape closes it"),
    )


_LOGS = (
    ("files", "JSON lines, JSON arrays, CSV, TSV, Parquet; plain, gz or zst, in any folder below"),
    ("prediction", "a record with a time and a prediction or a score"),
    ("outcome", "a record with a request id and a label: it may come later"),
    ("event", "a record with a request id and an event name, with a value where it is money"),
    ("columns", "`mlwatch init` writes down which was taken for what, for you to correct"),
)

_SIGNS = (
    ("better, worse", "beyond doubt: the 95 % interval excludes no change, or the rollout is judged so"),
    ("fine", "not worse than the margin allows"),
    ("unclear", "too few data to tell"),
    ("Δ", "the interval is that of the change, not of the candidate's value; d without Unicode"),
    ("pt", "percentage points"),
    ("n/a", "there is no such number; the line below the table says why"),
)


class HelpScreen(ModalScreen[None]):
    """Explain the screen, the focused panel and the keys."""

    CSS_PATH = "../styles/overlays.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "Close", priority=True),
    ]

    def __init__(self, explained: Screen[Any], key_of: Callable[[str], str]) -> None:
        super().__init__()
        self._keys = _keys(key_of)
        self._purpose = str(getattr(explained, "HELP", ""))
        panels = [panel.HELP_TEXT for panel in explained.query(Viewed) if panel.display and panel.HELP_TEXT]
        self._panels = tuple(dict.fromkeys(panels))

    def compose(self) -> ComposeResult:
        """Lay out purpose, panels, keys and signs."""
        with VerticalScroll(classes="overlay") as box:
            box.border_title = "Help"
            yield Static(Content.styled(self._purpose, "bold"), markup=False)
            for title, rows in (("Keys", self._keys), ("Words", _SIGNS), ("Logs", _LOGS)):
                yield NamedTexts(title, rows, classes="paragraph")
            yield Static(Content.styled("Panels", "bold $heading"), markup=False, classes="paragraph")
            for text in self._panels:
                yield Static(text, markup=False)

    def on_mount(self) -> None:
        """Draw as the app does."""
        if self.app.has_class("-ascii"):
            plain_bars(self.query_one(VerticalScroll))

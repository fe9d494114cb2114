"""What every panel has: it is handed views, and repaints only where what it shows of them changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

from mlwatch.app.drawing import wrapped
from mlwatch.app.linewise import Lines, Rendered
from widgets.text import sanitize as safe

if TYPE_CHECKING:
    from mlwatch.app.travel import TimeTravel
    from mlwatch.app.view import View
    from widgets.drawn import Drawn, Picture

StateT = TypeVar("StateT")

TALL = 1000
"""The height in lines that is offered while a panel is asked how much it wants."""


class Viewed(Widget):
    """A widget that is handed views; put it before a widget of `widgets` to make that a panel."""

    HELP_TEXT: ClassVar[str] = ""
    """What the panel shows, for the help overlay."""

    view: reactive[View | None] = reactive(None, init=False, repaint=False)

    @property
    def is_absent(self) -> bool:
        """Whether it has gone by itself, as there is nothing for it to show."""
        return self.styles.inline.display == "none"

    def watch_view(self, view: View | None) -> None:
        """Show what this panel shows of the view."""
        if view is not None:
            self.take(view)

    def take(self, view: View) -> None:
        """Turn a view into what the widget draws."""
        raise NotImplementedError


class Plotted(Viewed):
    """A panel that a widget of `widgets` draws; put it before that widget.

    What is missing is said in words in place of an empty picture.
    """

    DEFAULT_CSS = "Plotted { width: 1fr; height: 1fr; min-height: 2; }"
    can_focus = True
    missing: str = ""
    """Why there is nothing to draw and what to do about it; empty where there is something."""

    def say(self, missing: str) -> None:
        """Say what is missing, or draw again."""
        if missing != self.missing:
            self.missing = missing
            cast("Drawn", self).redraw()

    def draw(self, width: int, height: int) -> Picture:
        """Return the widget's own picture, or what is missing."""
        if not self.missing:
            return self.picture(width, height)
        ascii_only = cast("Drawn", self).ascii_only
        return [
            [(safe(part, ascii_only=ascii_only), "muted")]
            for part in wrapped(self.missing, width, max(height, 1))
        ]

    def picture(self, width: int, height: int) -> Picture:
        """Return the widget's own picture."""
        return cast("Drawn", super()).draw(width, height)


class Panel(Viewed, Generic[StateT]):
    """Turn each view into a small comparable state, and draw that state as lines."""

    DEFAULT_CSS = """
    Panel { height: auto; padding: 0 1; }
    """
    WAITING: ClassVar[str] = ""
    """What to say before the first view."""

    def __init__(self, identity: str, *, classes: str | None = None) -> None:
        self._rendered = Rendered()
        super().__init__(id=identity, classes=classes)
        self.state: StateT | None = None

    def watch_view(self, view: View | None) -> None:
        """Repaint where the new view differs in what this panel shows."""
        self.renew(None if view is None else self.digest(view))

    def take(self, view: View) -> None:
        """Show a view."""
        self.renew(self.digest(view))

    def renew(self, state: StateT | None) -> None:
        """Take a state and repaint where it differs from the last."""
        if state == self.state:
            return
        self.state = state
        self.show(state)
        self.refresh(layout=True)

    def show(self, state: StateT | None) -> None:
        """Adjust what is not drawn by `lines`, such as the border title."""

    def key_of(self, action: str) -> str:
        """Return what texts call the key of one of the app's actions."""
        return cast("TimeTravel", self.app).key_of(action)

    def digest(self, view: View) -> StateT:
        """Return what this panel shows of a view: a value that compares."""
        raise NotImplementedError

    def lines(self, state: StateT, size: Size) -> list[Content]:
        """Return the lines to draw."""
        raise NotImplementedError

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's
        """Return how many lines the state takes."""
        if self.state is None:
            return 1
        return max(1, len(self.lines(self.state, Size(width, TALL))))

    def render(self) -> Content:
        """Draw the state."""
        if self.state is None or not self.content_size:
            return Content.styled(self.WAITING, "$quiet")
        return Lines(self.lines(self.state, self.content_size), self._rendered, self.app.theme)

    def notify_style_update(self) -> None:
        """Forget what was rendered in other styles."""
        self._rendered.forget()
        super().notify_style_update()

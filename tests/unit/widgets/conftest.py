"""What the tests of the widgets share: reading the screen, comparing it with a stored picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from textual.app import App

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.message import Message
    from textual.widget import Widget

SNAPSHOTS = Path(__file__).parents[2] / "snapshots" / "widgets"


class Stage(App[None]):
    """An app that shows some widgets and remembers what they say."""

    CSS = "Screen { layout: vertical; }"

    def __init__(self, *shown: Widget) -> None:
        super().__init__()
        self._shown = shown
        self.said: list[Message] = []

    def compose(self) -> ComposeResult:
        yield from self._shown

    def on_message_hook(self, message: Message) -> None:
        self.said.append(message)

    def heard(self, kind: type[Message]) -> list[Any]:
        """Return the messages of a kind."""
        return [message for message in self.said if isinstance(message, kind)]

    def lines(self) -> list[str]:
        """Return the characters on the screen, without spaces at the ends."""
        return ["".join(part.text for part in strip).rstrip() for strip in self._strips()]

    def _strips(self) -> list[Any]:
        return list(self.screen._compositor.render_strips())


class StageMaker(Protocol):
    def __call__(self, *shown: Widget) -> Stage: ...


class PictureCheck(Protocol):
    def __call__(self, name: str, lines: list[str]) -> None: ...


@pytest.fixture
def stage() -> StageMaker:
    """Return the app that shows widgets."""
    return Stage


@pytest.fixture
def check_picture() -> PictureCheck:
    """Return a function that compares lines with a stored picture; UPDATE_SNAPSHOTS=1 stores them anew."""

    def check(name: str, lines: list[str]) -> None:
        path = SNAPSHOTS / f"{name}.txt"
        drawn = "\n".join(lines).rstrip() + "\n"
        if os.environ.get("UPDATE_SNAPSHOTS") == "1":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(drawn, encoding="utf-8")
        assert drawn == path.read_text(encoding="utf-8"), f"{path} differs; UPDATE_SNAPSHOTS=1 stores it anew"

    return check

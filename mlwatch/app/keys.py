"""The keys that work on every screen; the footer shows them in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding, BindingType
from textual.keys import format_key

from mlwatch.app.modes import SCREENS
from mlwatch.config import actions
from mlwatch.config.checks import ItemError
from mlwatch.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RANGE = Binding.Group("Range", compact=True)


def _key(
    action: str, said: str, does: str, *, identity: str = "", shown: str | None = None,
    footer: bool = False, group: Binding.Group | None = None,
) -> Binding:  # fmt: skip
    """Return a binding that says what it does, for the palette, and that the configuration can move."""
    identity = identity or action
    return Binding(
        actions.KEYS[identity], action, said, key_display=shown, show=footer or group is not None, tooltip=does,
        id=identity, group=group,
    )  # fmt: skip


def _screens() -> Iterator[Binding]:
    """Yield the number keys; the footer names them once."""
    for place, (mode, title, _) in enumerate(SCREENS, start=1):
        first = place == 1
        yield _key(
            f"screen('{mode}')", "Screens", f"Go to the {title} screen", identity=mode,
            shown=f"1-{len(SCREENS)}" if first else None, footer=first,
        )  # fmt: skip


BINDINGS: list[BindingType] = [
    _key("quit", "Quit", "Leave mlwatch", footer=True),
    Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    _key("suspend_process", "Suspend", "Go to the background; fg in the shell comes back", shown="^z"),
    _key("freeze", "Freeze", "Hold the picture, or let it go on", shown="spc", footer=True),
    _key("help", "Help", "Explain this screen and its keys", shown="?", footer=True),
    *_screens(),
    _key(
        "shorter_range", "Shorter range", "Show a shorter time range",
        shown="[", group=RANGE,
    ),
    _key(
        "longer_range", "Longer range", "Show a longer time range",
        shown="]", group=RANGE,
    ),
    _key(
        "cycle_range", "Next range", "Show the next time range, after the longest the shortest",
        group=RANGE,
    ),
    _key(
        "zoom_time(1)", "Zoom in", "Show half of the range, around a chart's cursor",
        identity="zoom_in", shown="{",
    ),
    _key(
        "zoom_time(-1)", "Zoom out", "Show twice the range",
        identity="zoom_out", shown="}",
    ),
    _key(
        "pan_time(-1)", "Move back", "Move the range back by half of it",
        identity="pan_back", shown="(",
    ),
    _key(
        "pan_time(1)", "Move on", "Move the range on by half of it",
        identity="pan_on", shown=")",
    ),
    _key("refresh", "Refresh", "Look for news less often, after the longest interval the most often"),
    _key("earlier", "Earlier", "Show an earlier moment", shown=","),
    _key("later", "Later", "Show a later moment", shown="."),
    _key("play", "Play", "Play the past, or pause"),
    _key("segment", "Segment", "Show only the records that pass a filter", footer=True),
    _key("versions", "Versions", "Choose the versions to compare", footer=True),
    _key("alerts", "Alerts", "List all alerts", footer=True),
    _key("quarantine", "Quarantine", "Browse the lines that could not be taken in"),
    _key("toasts", "Toasts", "Mute warnings, then everything, then nothing"),
    _key("zoom", "Zoom", "Give the focused panel the whole screen, or take it back", footer=True),
    _key("next_model", "Model", "Show the next model", footer=True),
    _key("save_screenshot", "SVG", "Save this screen as SVG in the current directory", footer=True),
]  # fmt: skip


def keymap(keys: Mapping[str, str]) -> dict[str, str]:
    """Return the keys of actions as Textual takes them.

    Args:
        keys: Keys by action or screen, several separated by commas.

    Raises:
        InputError: There is no such action, or no key, or two actions have the same.
    """
    try:
        actions.keys(keys)
    except ItemError as error:
        raise InputError("bad key", f"[app.keys] {error.item}", str(error)) from None
    return {action: ",".join(actions.split(chosen)) for action, chosen in keys.items()}


def key_of(keys: Mapping[str, str], action: str) -> str:
    """Return what texts call the key of an action, of several the first.

    Args:
        keys: Those that the configuration gives.
        action: Or screen.
    """
    first, *_ = actions.split(keys.get(action, actions.KEYS[action]))
    *modifiers, last = first.split("+")
    return "+".join([*modifiers, format_key(last)])

"""The keys that work on every screen; the footer shows them in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding, BindingType

from mlwatch.app.modes import SCREENS
from mlwatch.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_RANGE_KEYS = Binding.Group("Range", compact=True)
BINDINGS: list[BindingType] = [
    Binding("q", "quit", "Quit", tooltip="Leave mlwatch", id="quit"),
    Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    Binding(
        "space",
        "freeze",
        "Freeze",
        key_display="spc",
        tooltip="Hold the picture, or let it go on",
        id="freeze",
    ),
    Binding(
        "question_mark",
        "help",
        "Help",
        key_display="?",
        tooltip="Explain this screen and its keys",
        id="help",
    ),
    *(
        Binding(
            str(place),
            f"screen('{mode}')",
            "Screens",
            show=place == 1,
            tooltip=f"Go to {title}",
            id=mode,
            key_display=f"1-{len(SCREENS)}" if place == 1 else None,
        )
        for place, (mode, title, _) in enumerate(SCREENS, start=1)
    ),
    Binding(
        "left_square_bracket",
        "shorter_range",
        "Shorter range",
        key_display="[",
        group=_RANGE_KEYS,
        id="shorter_range",
    ),
    Binding(
        "right_square_bracket",
        "longer_range",
        "Longer range",
        key_display="]",
        group=_RANGE_KEYS,
        id="longer_range",
    ),
    Binding("r", "cycle_range", "Next range", group=_RANGE_KEYS, id="cycle_range"),
    Binding(
        "comma", "earlier", "Earlier", key_display=",", show=False, tooltip="Go back in time", id="earlier"
    ),
    Binding("full_stop", "later", "Later", key_display=".", show=False, tooltip="Go on in time", id="later"),
    Binding("p", "play", "Play", show=False, tooltip="Play the past, or pause", id="play"),
    Binding("f", "segment", "Segment", tooltip="Show only the records that pass a filter", id="segment"),
    Binding("v", "versions", "Versions", tooltip="Choose the versions to compare", id="versions"),
    Binding("a", "alerts", "Alerts", tooltip="List all alerts", id="alerts"),
    Binding(
        "x", "quarantine", "Quarantine", show=False, tooltip="Browse the rejected lines", id="quarantine"
    ),
    Binding("t", "toasts", "Toasts", show=False, tooltip="Choose which alerts pop up", id="toasts"),
    Binding(
        "z", "zoom", "Zoom", tooltip="Give the focused panel the whole screen, or take it back", id="zoom"
    ),
    Binding("m", "next_model", "Model", tooltip="Show the next model", id="next_model"),
    Binding(
        "s",
        "save_screenshot",
        "SVG",
        tooltip="Save this screen as SVG in the current directory",
        id="save_screenshot",
    ),
]


def keymap(keys: Mapping[str, str]) -> dict[str, str]:
    """Return the keys of actions as Textual takes them.

    Args:
        keys: Keys by action or screen, several separated by commas.

    Raises:
        InputError: There is no such action, or no key.
    """
    known = [binding.id for binding in BINDINGS if isinstance(binding, Binding) and binding.id]
    for action, chosen in keys.items():
        if action not in known:
            raise InputError("there is no such action", f"[app.keys] {action}", f"one of {', '.join(known)}")
        if not all(key.strip() for key in chosen.split(",")):
            raise InputError("a key is missing", f"[app.keys] {action}", "write a key such as q or ctrl+q")
    return {action: ",".join(key.strip() for key in chosen.split(",")) for action, chosen in keys.items()}

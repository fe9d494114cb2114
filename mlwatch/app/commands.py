"""What the command palette offers: every action of the app, the screen and the focused panel, with its keys."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand

from mlwatch.app.modes import SCREENS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.binding import ActiveBinding
    from textual.screen import Screen

    from mlwatch.app.app import MlwatchApp

_TITLES = {
    **{f"screen('{mode}')": title for mode, title, _ in SCREENS},
    "save_screenshot": "Save screenshot",
    "next_model": "Next model",
}
"""Where the name in the line of keys is too short to be found by."""


def commands(app: MlwatchApp, screen: Screen[Any]) -> Iterable[SystemCommand]:
    """Yield a command for each action that says in a tooltip what it does.

    Args:
        app: Whose actions are offered, with the keys that the configuration gave them.
        screen: What the palette lies over.
    """
    keys: dict[str, list[str]] = {}
    offered: dict[str, ActiveBinding] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if binding.tooltip and binding.action != "command_palette":
            place = binding.action.startswith("screen(")  # the line of keys shows all of these as one
            keys.setdefault(binding.action, []).append(binding.key if place else app.get_key_display(binding))
            offered.setdefault(binding.action, active)
    for action, active in offered.items():
        title = _TITLES.get(action, active.binding.description)
        shown = ", ".join(dict.fromkeys(keys[action]))
        text = f"{active.binding.tooltip} ({shown})"
        yield SystemCommand(title, text, partial(app.run_action, action, active.node))
    yield SystemCommand("Theme", "Change the colours", app.action_change_theme)
    if "quit" not in offered:
        yield SystemCommand("Quit", "Leave mlwatch", app.action_quit)

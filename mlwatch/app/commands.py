"""What the command palette offers: every action of the app."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual.app import SystemCommand

from mlwatch.app.modes import SCREENS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlwatch.app.app import MlwatchApp


def commands(app: MlwatchApp) -> Iterable[SystemCommand]:
    """Yield a command for each action, with its key."""
    yield SystemCommand("Freeze", "Hold the picture, or let it go on (space)", app.action_freeze)
    for place, (mode, title, _) in enumerate(SCREENS, start=1):
        yield SystemCommand(title, f"Go to the {title} screen ({place})", partial(app.action_screen, mode))
    yield SystemCommand("Longer range", "Show a longer time range (])", app.action_longer_range)
    yield SystemCommand("Shorter range", "Show a shorter time range ([)", app.action_shorter_range)
    yield SystemCommand(
        "Next range", "Show the next time range, after the longest the shortest (r)", app.action_cycle_range
    )
    yield SystemCommand("Earlier", "Show an earlier moment (,)", app.action_earlier)
    yield SystemCommand("Later", "Show a later moment (.)", app.action_later)
    yield SystemCommand("Play", "Play the past, or pause (p)", app.action_play)
    yield SystemCommand("Segment", "Show only the records that pass a filter (f)", app.action_segment)
    yield SystemCommand("Versions", "Choose the versions to compare (v)", app.action_versions)
    yield SystemCommand("Next model", "Show the next model (m)", app.action_next_model)
    yield SystemCommand("Alerts", "List all alerts (a)", app.action_alerts)
    yield SystemCommand("Toasts", "Mute warnings, then everything, then nothing (t)", app.action_toasts)
    yield SystemCommand(
        "Quarantine", "Browse the lines that could not be taken in (x)", app.action_quarantine
    )
    yield SystemCommand("Zoom", "Give the focused panel the whole screen (z)", app.action_zoom)
    yield SystemCommand("Save screenshot", "Save this screen as SVG (s)", app.action_save_screenshot)
    yield SystemCommand("Help", "Explain this screen and its keys (?)", app.action_help)
    yield SystemCommand("Theme", "Change the colours", app.action_change_theme)
    yield SystemCommand("Quit", "Leave mlwatch (q)", app.action_quit)

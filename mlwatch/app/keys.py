"""The keys that work on every screen; the footer shows them in this order."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from mlwatch.app.modes import SCREENS

_RANGE_KEYS = Binding.Group("Range", compact=True)
BINDINGS: list[BindingType] = [
    Binding("q", "quit", "Quit", tooltip="Leave mlwatch"),
    Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    Binding("space", "freeze", "Freeze", key_display="spc", tooltip="Hold the picture, or let it go on"),
    Binding("question_mark", "help", "Help", key_display="?", tooltip="Explain this screen and its keys"),
    *(
        Binding(
            str(place),
            f"screen('{mode}')",
            "Screens",
            show=place == 1,
            tooltip=f"Go to {title}",
            key_display=f"1-{len(SCREENS)}" if place == 1 else None,
        )
        for place, (mode, title, _) in enumerate(SCREENS, start=1)
    ),
    Binding("left_square_bracket", "shorter_range", "Shorter range", key_display="[", group=_RANGE_KEYS),
    Binding("right_square_bracket", "longer_range", "Longer range", key_display="]", group=_RANGE_KEYS),
    Binding("r", "cycle_range", "Next range", group=_RANGE_KEYS),
    Binding("m", "next_model", "Model", tooltip="Show the next model"),
    Binding("a", "alerts", "Alerts", tooltip="List all alerts"),
    Binding("x", "quarantine", "Quarantine", show=False, tooltip="Browse the rejected lines"),
    Binding("z", "zoom", "Zoom", tooltip="Give the focused panel the whole screen, or take it back"),
    Binding("s", "save_screenshot", "SVG", tooltip="Save this screen as SVG in the current directory"),
]

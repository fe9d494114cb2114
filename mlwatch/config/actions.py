"""What `[app.keys]` may give other keys, and the keys that it has without; the app binds exactly these actions."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from mlwatch.config.checks import ItemError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS = {
    "quit": "q", "suspend_process": "ctrl+z", "freeze": "space", "help": "question_mark", "overview": "1",
    "performance": "2", "quality": "3", "health": "4", "business": "5", "rollout": "6", "records": "7", "sql": "8",
    "shorter_range": "left_square_bracket", "longer_range": "right_square_bracket", "cycle_range": "r",
    "zoom_in": "left_curly_bracket", "zoom_out": "right_curly_bracket", "pan_back": "left_parenthesis",
    "pan_on": "right_parenthesis", "refresh": "R", "earlier": "comma", "later": "full_stop", "play": "p",
    "segment": "f", "versions": "v", "alerts": "a", "quarantine": "x", "toasts": "t", "zoom": "z",
    "next_model": "m", "save_screenshot": "s",
}  # fmt: skip
"""The key of each action, where it is not given another; the footer names them in this order."""
FIXED = {"ctrl+c": "quit", "ctrl+p": "the command palette"}
"""Keys that stay what they are."""


def keys(value: Mapping[str, str]) -> Mapping[str, str]:
    """Check that keys are given to actions that there are, and each key to one.

    Raises:
        ItemError: There is no such action, or no key, or another action has it.
    """
    for action, chosen in value.items():
        if action not in KEYS:
            close = difflib.get_close_matches(action, KEYS, 1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise ItemError(action, f"there is no such action; {hint}Allowed: {', '.join(KEYS)}")
        if not all(split(chosen)):
            raise ItemError(action, "a key is missing: write a key such as q or ctrl+q")
    _check_apart(value)
    return value


def split(chosen: str) -> list[str]:
    """Return the keys of an action, which commas separate."""
    return [key.strip() for key in chosen.split(",")]


def _check_apart(value: Mapping[str, str]) -> None:
    """Raise where a key that is given to an action is the key of another one."""
    others = [(key, action) for action, chosen in {**KEYS, **value}.items() for key in split(chosen)]
    others += FIXED.items()
    for action, chosen in value.items():
        for key in split(chosen):
            other = next((each for at, each in others if at == key and each != action), None)
            if other is not None:
                todo = (
                    "take another key" if key in FIXED else f"take another key, or give {other} another one"
                )
                raise ItemError(action, f"{key} is the key of {other}: {todo}")

"""What `[app.keys]` may give other keys; the app binds exactly these actions, which a test makes sure of."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from mlwatch.config.checks import ItemError

if TYPE_CHECKING:
    from collections.abc import Mapping

ACTIONS = (
    "quit", "suspend_process", "freeze", "help", "overview", "performance", "quality", "health", "business",
    "rollout", "records", "sql", "shorter_range", "longer_range", "cycle_range", "zoom_in", "zoom_out", "pan_back",
    "pan_on", "refresh", "earlier", "later", "play", "segment", "versions", "alerts", "quarantine", "toasts", "zoom",
    "next_model", "save_screenshot",
)  # fmt: skip


def keys(value: Mapping[str, str]) -> Mapping[str, str]:
    """Check that keys are given to actions that there are.

    Raises:
        ItemError: There is no such action, or no key.
    """
    for action, chosen in value.items():
        if action not in ACTIONS:
            close = difflib.get_close_matches(action, ACTIONS, 1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise ItemError(action, f"there is no such action; {hint}Allowed: {', '.join(ACTIONS)}")
        if not all(key.strip() for key in chosen.split(",")):
            raise ItemError(action, "a key is missing: write a key such as q or ctrl+q")
    return value

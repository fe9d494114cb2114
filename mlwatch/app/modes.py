"""The numbered screens; each is imported when it is first opened, so that the first paint stays quick."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.screen import Screen

SCREENS = (
    ("overview", "Overview", "OverviewScreen"),
    ("performance", "Performance", "PerformanceScreen"),
    ("quality", "Data quality", "QualityScreen"),
    ("health", "Health", "HealthScreen"),
    ("business", "Business", "BusinessScreen"),
    ("rollout", "Rollout", "RolloutScreen"),
    ("records", "Records", "RecordsScreen"),
    ("sql", "SQL", "SqlScreen"),
)
"""Mode, title and class of each screen; the number key is the place. The module has the mode's name."""


def _screen_factory(module: str, name: str) -> Callable[[], Screen[Any]]:
    """Return a function that imports a screen only when it is first opened."""

    def make() -> Screen[Any]:
        return cast("Screen[Any]", getattr(import_module(f"mlwatch.app.screens.{module}"), name)())

    return make


MODES: dict[str, str | Callable[[], Screen[Any]]] = {
    mode: _screen_factory(mode, name) for mode, _, name in SCREENS
}
"""How Textual makes the screen of each mode."""

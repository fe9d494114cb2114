"""What the command line may set of the app."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta
    from pathlib import Path

Toasts = Literal["all", "critical", "none"]


def utc_now() -> datetime:
    """Return the present moment as an aware UTC datetime."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class AppOptions:
    """How the app looks and how often it asks for news."""

    refresh_s: float = 1.0
    """Seconds between two looks at the source; a look without news paints nothing."""
    ascii: bool = False
    """Draw with ASCII characters only."""
    mouse: bool = True
    """Take the mouse; off leaves it to the terminal's own selection."""
    theme: str = "mlwatch-dark"
    """Name of a registered Textual theme."""
    clock: Callable[[], datetime] = utc_now
    """Where the app gets the time from: an aware datetime."""
    timezone: str = "UTC"
    """The zone in which times are shown: UTC, local, or an IANA name such as Europe/Berlin."""
    host_every_s: float = 5.0
    """Seconds after which a snapshot is fetched for the host's numbers though no row came."""
    span: timedelta | None = None
    """The length of the range to begin with; None is all time."""
    at: datetime | None = None
    """The moment of the past to begin with; None is the present."""
    replay: float | None = None
    """Play the past from its beginning, so many seconds in a second."""
    greeted: Path | None = None
    """File whose presence says that the first-run hint was shown; None shows none."""
    history: Path | None = None
    """File of the statements that were run on the SQL screen; None remembers them for this run only."""
    read_only: bool = False
    """Write nothing: no exports, no pictures."""
    toasts: Toasts = "all"
    """Which alerts pop up when they begin to fire."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Other keys for actions, several separated by commas."""

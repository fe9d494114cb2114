"""The range that the app begins with, as the command line names it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from mlwatch.arguments import parser
from mlwatch.commands.watch import app_options
from mlwatch.config import Config
from mlwatch.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("given", "span_h", "at"),
    [
        (["--window", "1h"], 1, None),
        (["--window", "1h", "--until", "2026-11-03T12:00Z"], 1, datetime(2026, 11, 3, 12, tzinfo=UTC)),
        (["--until", "2026-11-03T12:00Z"], None, datetime(2026, 11, 3, 12, tzinfo=UTC)),
        (["--at", "2026-11-03T12:00Z", "--window", "1h"], 1, datetime(2026, 11, 3, 12, tzinfo=UTC)),
        (
            ["--since", "2026-11-03T09:30Z", "--until", "2026-11-03T12:00Z"],
            2.5,
            datetime(2026, 11, 3, 12, tzinfo=UTC),
        ),
        (["--since", "6h ago"], 6, None),
        ([], None, None),
    ],
)
def test_the_range_of_the_command_line_reaches_the_app(
    tmp_path: Path, given: list[str], span_h: float | None, at: datetime | None
) -> None:
    found = app_options(parser().parse_args(["watch", str(tmp_path), *given]), Config())
    hours = found.span and round(found.span / timedelta(hours=1), 3)
    assert (hours, found.at) == (span_h, at)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--since", "banana", "--window", "1h"], "a time is like 2026"),
        (["--since", "6h ago", "--window", "1h"], "--since and --window exclude each other"),
        (["--at", "2h ago", "--until", "1h ago"], "--at and --until are the same"),
        (["--at", "banana"], "a time is like 2026"),
    ],
)
def test_a_range_that_is_none_is_refused(tmp_path: Path, given: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        app_options(parser().parse_args(["watch", str(tmp_path), *given]), Config())

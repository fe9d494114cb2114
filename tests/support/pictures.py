"""Export the pictures of the README from the app over the sample logs, with a clock that stands still.

Run as `python tests/support/pictures.py` from the root of the repository.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mlwatch.app.app import MlwatchApp
from mlwatch.app.options import AppOptions
from mlwatch.choice import USUAL, Choice
from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwatch.snapshot.types import Snapshot

ROOT = Path(__file__).resolve().parents[2]
SIZE = (120, 40)
NOW = datetime(2026, 11, 3, 23, 59, 30, tzinfo=UTC)
PICTURES = {"1": "overview", "6": "rollout"}
"""Files in `.github`, by the key of the screen."""
WALK = "1234567"
"""Keys of the screens that the recording shows."""
FRAME_S = 2.5


class Samples(Session):
    """The sample logs as if they had just been written."""

    def snapshot(
        self, span: timedelta | None = None, at: datetime | None = None, choice: Choice = USUAL
    ) -> Snapshot:
        """Return a snapshot whose feed is that of a live one."""
        found = super().snapshot(span, at, choice)
        return replace(found, feed=replace(found.feed, lag_s=1.2, rows_per_s=18.0))


async def export() -> None:
    """Write every picture."""
    source = Samples(Options(ROOT / "sample_logs", db=":memory:"))
    source.ingest_all()
    app = MlwatchApp(source, options=AppOptions(clock=lambda: NOW, refresh_s=3600.0))
    async with app.run_test(size=SIZE) as pilot:
        while app.view is None or not app.view.snapshot.models:
            await pilot.pause(0.1)
        for key, name in PICTURES.items():
            await pilot.press(key)
            await pilot.pause(1.0)
            picture = app.export_screenshot(title="mlwatch sample_logs")
            (ROOT / ".github" / f"{name}.svg").write_text(picture, encoding="utf-8")
        frames = []
        for key in WALK:
            await pilot.press(key)
            await pilot.pause(1.0)
            frames.append(app.export_screenshot(title="mlwatch sample_logs"))
    (ROOT / ".github" / "recording.svg").write_text(recording(frames), encoding="utf-8")


def recording(frames: Sequence[str]) -> str:
    """Lay pictures on top of each other, each visible in its turn: one SVG that needs no player and no script."""
    whole, share = FRAME_S * len(frames), 100 / len(frames)
    width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', frames[0])[0]
    layers = "\n".join(
        f'<g class="frame" style="animation-delay:{FRAME_S * number:g}s">{frame}</g>'
        for number, frame in enumerate(frames)
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.frame {{ visibility: hidden; animation: turn {whole:g}s infinite step-end; }}
@keyframes turn {{ 0% {{ visibility: visible; }} {share:.3f}% {{ visibility: hidden; }} }}
</style>
{layers}
</svg>
"""


if __name__ == "__main__":
    asyncio.run(export())

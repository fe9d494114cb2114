"""Export the pictures of the README from the app itself: one screen, and a short recording of a walk through it.

Run `python .github/record.py` at the root of the project. The recording is one SVG that shows a frame after the
other: it needs no player, and no script.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path

from mlwatch.app.app import MlwatchApp
from mlwatch.app.options import AppOptions
from mlwatch.session import Options, Session

HERE = Path(__file__).parent
SIZE = (120, 40)
FRAME_S = 2.5
WALK = ((), ("2",), ("3",), ("4",), ("5",), ("6",), ("down", "down"), ("7",))
"""Keys before each frame."""


async def frames() -> list[str]:
    """Walk through the app and return a picture of each stop."""
    now = datetime(2026, 11, 4, tzinfo=UTC)
    with Session(Options(HERE.parent / "sample_logs", db=":memory:")) as session:
        session.ingest_all()
        app = MlwatchApp(session, options=AppOptions(clock=lambda: now))
        found = []
        async with app.run_test(size=SIZE) as pilot:
            for keys in WALK:
                await pilot.press(*keys)
                for _ in range(40):
                    await pilot.pause(0.05)
                found.append(without_fonts(app.export_screenshot(title="mlwatch sample_logs")))
    return found


def without_fonts(picture: str) -> str:
    """Leave the fonts to the reader's system: a picture fetches nothing."""
    return re.sub(r"@font-face \{[^}]*\}\s*", "", picture)


def recording(pictures: list[str]) -> str:
    """Lay pictures on top of each other, each visible in its turn."""
    whole = FRAME_S * len(pictures)
    share = 100 / len(pictures)
    width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', pictures[0])[0]
    layers = "\n".join(
        f'<g class="frame" style="animation-delay:{FRAME_S * number:g}s">{picture}</g>'
        for number, picture in enumerate(pictures)
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.frame {{ visibility: hidden; animation: turn {whole:g}s infinite step-end; }}
.frame:first-of-type {{ visibility: visible; }}
@keyframes turn {{ 0% {{ visibility: visible; }} {share:.3f}% {{ visibility: hidden; }} }}
</style>
{layers}
</svg>
"""


def main() -> None:
    """Write both pictures."""
    pictures = asyncio.run(frames())
    (HERE / "overview.svg").write_text(pictures[0])
    (HERE / "recording.svg").write_text(recording(pictures))


if __name__ == "__main__":
    main()

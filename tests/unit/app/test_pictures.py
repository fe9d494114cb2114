"""Text pictures of every screen at three sizes; UPDATE_SNAPSHOTS=1 stores them anew."""

from __future__ import annotations

import pytest
from driving import check_snapshot, running, settle, text_of
from factory import FakeSource, empty, snapshot, unlabelled

from mlwatch.snapshot.types import Feed

pytestmark = pytest.mark.slow

SCREENS = {
    "1": "overview", "2": "performance", "3": "quality", "4": "health", "5": "business", "6": "rollout",
    "7": "records", "8": "sql",
}  # fmt: skip


@pytest.mark.usual(1)
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_screens(size: tuple[int, int]) -> None:
    await compare(FakeSource(), size, "")


async def test_without_labels_and_candidate() -> None:
    await compare(FakeSource(unlabelled()), (80, 24), "unlabelled-")


async def test_before_the_first_file() -> None:
    await compare(FakeSource(empty()), (80, 24), "empty-")


async def compare(source: FakeSource, size: tuple[int, int], kind: str) -> None:
    """Compare all screens at one size with their pictures."""
    async with running(source, size) as (app, pilot):
        for key, name in SCREENS.items():
            await pilot.press(key)
            await settle(pilot)
            check_snapshot(f"{name}-{kind}{size[0]}x{size[1]}", text_of(app))


async def test_small_terminal() -> None:
    async with running(FakeSource(), (40, 12)) as (app, _):
        check_snapshot("overview-40x12", text_of(app))


async def test_frozen_while_the_past_is_read() -> None:
    feed = Feed(
        rows_per_s=90_000.0, bytes_done=120_000_000, bytes_total=480_000_000, eta_s=74.0, note="in memory"
    )
    async with running(FakeSource(snapshot(feed=feed))) as (app, pilot):
        await pilot.press("space")
        await settle(pilot)
        check_snapshot("overview-frozen-backfill-80x24", text_of(app))


async def test_ascii() -> None:
    async with running(FakeSource(), (120, 40), ascii=True) as (app, _):
        check_snapshot("overview-ascii-120x40", text_of(app))


async def test_help() -> None:
    async with running(FakeSource(), (120, 40)) as (app, pilot):
        await pilot.press("question_mark")
        await settle(pilot)
        check_snapshot("help-120x40", text_of(app))

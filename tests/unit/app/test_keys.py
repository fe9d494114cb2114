from __future__ import annotations

import pytest
from driving import running, settle, text_of
from factory import FakeSource
from textual.binding import Binding

from mlwatch.app.keys import BINDINGS, keymap
from mlwatch.app.panels.keyline import KeyLine
from mlwatch.config.actions import KEYS
from mlwatch.errors import InputError


async def test_keys_can_be_changed() -> None:
    async with running(FakeSource(), keys={"freeze": "f7,f8", "rollout": "w"}) as (app, pilot):
        await pilot.press("w")
        await settle(pilot)
        assert app.current_mode == "rollout"
        await pilot.press("space")
        await settle(pilot)
        assert "Frozen at" not in text_of(app), "the old key is free"
        await pilot.press("f8")
        await settle(pilot)
        assert "Frozen at" in text_of(app)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"frieze": "f"}, "no such action"),
        ({"freeze": "f,"}, "a key is missing"),
        ({"freeze": "f"}, "f is the key of segment"),
    ],
)
def test_says_what_is_wrong_with_keys(keys: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        keymap(keys)


def test_the_configuration_knows_every_action_that_has_a_key() -> None:
    bound = [binding.id for binding in BINDINGS if isinstance(binding, Binding) and binding.id]
    assert bound == list(KEYS)


async def test_texts_name_the_keys_in_use() -> None:
    chosen = {"freeze": "f9", "earlier": "b", "play": "P", "segment": "space", "rollout": "w", "alerts": "A"}
    async with running(FakeSource(), (120, 60), keys=chosen) as (app, pilot):
        await pilot.press("f9")
        await settle(pilot)
        assert "press f9 to go on watching." in text_of(app)
        await pilot.press("f9", "b")
        await settle(pilot)
        assert ": b . step, P plays; f9 goes back to live." in text_of(app)
        app.action_help()
        await settle(pilot)
        said = " ".join(text_of(app).split())
        assert "f9 freeze the picture" in said
        assert "space segment: show only" in said
        assert "5 w 7" in said
        assert "b and . back and on in time; P plays the past" in said
        assert "A all alerts" in said
    async with running(FakeSource(), (80, 24), keys=chosen) as (app, _):
        assert "+2 more: A" in text_of(app)


async def test_two_actions_can_change_their_keys() -> None:
    async with running(FakeSource(), keys={"freeze": "f", "segment": "space"}) as (app, pilot):
        await pilot.press("f")
        await settle(pilot)
        assert app.status.frozen_at is not None


async def test_keys_that_find_no_room_are_left_out_whole() -> None:
    async with running(FakeSource(), (80, 24)) as (app, pilot):
        keys = text_of(app).splitlines()[-1]
        assert keys == "q Quit spc Freeze ? Help 1-8 Screens []r Range f Segment v Versions a Alerts"
        await pilot.resize_terminal(120, 40)
        await settle(pilot)
        keys = text_of(app).splitlines()[-1]
        assert keys.startswith(
            "q Quit spc Freeze ? Help 1-8 Screens []r Range f Segment v Versions a Alerts z Zoom"
        )
        assert keys.endswith("s SVG" + " " * 13 + "^p palette")


async def test_a_click_presses_the_key_that_is_named() -> None:
    source = FakeSource()
    async with running(source, (120, 40)) as (app, pilot):
        keys = text_of(app).splitlines()[-1]
        line = app.screen.query_one(KeyLine)
        await pilot.click(line, offset=(keys.index("Freeze"), 0))
        await settle(pilot)
        assert app.status.frozen_at is not None
        await pilot.click(line, offset=(keys.index("[]r"), 0))
        await settle(pilot)
        assert app.status.range.label == "last 24 h"
        await pilot.click(line, offset=(keys.index("palette"), 0))
        await settle(pilot)
        assert app.screen.is_modal

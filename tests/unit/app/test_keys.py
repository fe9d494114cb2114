from __future__ import annotations

import pytest
from driving import running, settle, text_of
from factory import FakeSource
from textual.binding import Binding

from mlwatch.app.keys import BINDINGS, keymap
from mlwatch.app.panels.keyline import KeyLine
from mlwatch.config.actions import ACTIONS
from mlwatch.errors import InputError


async def test_keys_can_be_changed() -> None:
    async with running(FakeSource(), keys={"freeze": "f,f8", "rollout": "w"}) as (app, pilot):
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
    ("keys", "said"), [({"frieze": "f"}, "no such action"), ({"freeze": "f,"}, "a key is missing")]
)
def test_says_what_is_wrong_with_keys(keys: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        keymap(keys)


def test_the_configuration_knows_every_action_that_has_a_key() -> None:
    bound = [binding.id for binding in BINDINGS if isinstance(binding, Binding) and binding.id]
    assert bound == list(ACTIONS)


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

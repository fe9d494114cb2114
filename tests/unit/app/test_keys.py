from __future__ import annotations

import pytest
from driving import running, settle, text_of
from factory import FakeSource

from mlwatch.app.keys import keymap
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

"""Lines that are rendered anew only where they differ look as if all of them were."""

from __future__ import annotations

import random
from functools import partial

import pytest
from textual.content import Content
from textual.style import Style
from textual.visual import RenderOptions

from mlwatch.app.linewise import Lines, Rendered

OPTIONS = RenderOptions(lambda style: Style.parse(style) if isinstance(style, str) else style, {})
BASE = Style.parse("white on black")
WORDS = ("accuracy", "latency p95", "", "drift ▲ 0.12", "日本語", "n/a")
STYLES = ("bold", "red", "on blue", "dim italic")


def _line(chance: random.Random) -> Content:
    text = "  ".join(chance.choice(WORDS) for _ in range(chance.randrange(3)))
    return Content.styled(text, chance.choice(STYLES)) if chance.random() < 0.7 else Content(text)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_kept_is_what_would_be_rendered(seed: int) -> None:
    chance = random.Random(seed)
    lines, rendered = [_line(chance) for _ in range(8)], Rendered()
    for _ in range(30):
        lines = list(lines)
        if chance.random() < 0.1:
            lines = lines[:-1] if len(lines) > 5 else [*lines, _line(chance)]
        lines[chance.randrange(len(lines))] = _line(chance)
        width, style = chance.choice((8, 40, 40, 40)), chance.choice((BASE, BASE, Style.parse("red")))
        mine = Lines(lines, rendered, "theme")
        whole = Content("\n").join(lines)
        assert mine.is_same(whole)
        assert mine.render_strips(width, 6, style, OPTIONS) == whole.render_strips(width, 6, style, OPTIONS)


def _always(style: Style, _asked: object) -> Style:
    return style


def test_lines_of_another_theme_are_rendered_anew() -> None:
    lines, rendered = [Content.styled("a", "$primary"), Content("b")], Rendered()
    for theme, colour in (("dark", "red"), ("light", "green"), ("dark", "red")):
        options = RenderOptions(partial(_always, Style.parse(colour)), {})
        found = Lines(lines, rendered, theme).render_strips(10, 2, BASE, options)
        assert found == Content("\n").join(lines).render_strips(10, 2, BASE, options)

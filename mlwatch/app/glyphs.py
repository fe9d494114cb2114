"""The characters that carry meaning, once for Unicode and once for ASCII terminals."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of characters; every state has a shape of its own, so that none is told by colour alone."""

    up: str = "▲"
    down: str = "▼"
    flat: str = "="
    live: str = "●"
    frozen: str = "‖"
    waiting: str = "○"
    critical: str = "✖"
    warning: str = "◆"
    info: str = "•"
    rule: str = "─"
    axis: str = "│"
    bar_full: str = "━"
    bar_empty: str = "─"
    cursor: str = "▸"
    more: str = "…"
    dot: str = " · "
    minus: str = "−"
    delta: str = "Δ"
    ascii: bool = False


UNICODE = Glyphs()
ASCII = Glyphs(
    up="^", down="v", flat="=", live="*", frozen="||", waiting="o", critical="X", warning="!", info="-",
    rule="-",
    axis="|", bar_full="=", bar_empty=".", cursor=">", more="~", dot=" | ", minus="-", delta="d", ascii=True,
)  # fmt: skip

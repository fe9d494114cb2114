"""Colours by name: meanings follow the theme, series follow Okabe and Ito.

M. Okabe and K. Ito (2008), "Color Universal Design": eight hues that stay apart for readers with colour
blindness. On a light background the same hues are darkened until they reach a contrast of 4.5 : 1, on a dark
one the blue and the vermilion are lightened. No meaning is carried by colour alone: series also differ by
mark (`MARKS`) and, without colour, by their dashes (`DASHES`).
"""

from __future__ import annotations

OKABE_ITO = {
    "orange": "#e69f00",
    "sky blue": "#56b4e9",
    "bluish green": "#009e73",
    "yellow": "#f0e442",
    "blue": "#0072b2",
    "vermilion": "#d55e00",
    "reddish purple": "#cc79a7",
}

SERIES_ON_DARK = (
    "#56b4e9", "#e69f00", "#cc79a7", "#1fb58a", "#f0e442", "#ee7a33", "#4a9fdc", "#b8c0cc",
)  # fmt: skip
SERIES_ON_LIGHT = (
    "#0072b2", "#9a6500", "#a3457b", "#00775a", "#7a7000", "#b34a00", "#2a5f8f", "#59626e",
)  # fmt: skip

SERIES = tuple(f"series-{number}" for number in range(1, len(SERIES_ON_DARK) + 1))
"""Names of the styles of series, in the order they are given out."""

MARKS = "*o+x#@%&"
"""One ASCII mark a series."""

DASHES = ((1, 0), (3, 2), (1, 1), (6, 2), (2, 4), (1, 3), (8, 4), (1, 5))
"""Cells drawn and left out, for series that cannot be told by colour."""

HEAT_ON_DARK = ("#14202e", "#1d3a5c", "#2f5a8f", "#4f7fb0", "#86a3a8", "#bdb97c", "#e3cf57", "#fdea45")
"""Eight steps between the ends of cividis (Nuñez, Anderton and Renslow 2018, doi:10.1371/journal.pone.0199239):
dark blue to yellow, ordered by lightness, so that it reads without colour too."""

HEAT_ON_LIGHT = ("#dde7f1", "#c3d6e8", "#a2c0dc", "#7aa5cc", "#5286b7", "#33679c", "#1f4a7b", "#102e56")
"""Eight steps of one blue, from light to dark: what is high stands out on a light ground."""

HEAT = tuple(f"heat-{step}" for step in range(len(HEAT_ON_DARK)))

_MEANINGS = {
    "muted": "color: $text-muted;",
    "faint": "color: $foreground 25%;",
    "label": "color: $foreground 80%;",
    "strong": "text-style: bold;",
    "header": "color: $text-muted; text-style: bold;",
    "accent": "color: $accent;",
    "good": "color: $success;",
    "warn": "color: $warning;",
    "bad": "color: $error;",
    "unknown": "color: $text-muted;",
    "band": "background: $foreground 8%;",
    "band-edge": "color: $foreground 8%;",
    "edge": "color: $foreground 25%;",
    "cursor": "background: $foreground 18%;",
    "row": "background: $primary 25%;",
    "row-blurred": "background: $foreground 8%;",
}

PAIR_ON_DARK = {"reference": "#56b4e9", "current": "#e69f00", "both": "#8f98a3"}
PAIR_ON_LIGHT = {"reference": "#0072b2", "current": "#b36b00", "both": "#7b8490"}
"""What is compared, and where both are."""


def _coloured(series: tuple[str, ...], heat: tuple[str, ...], pair: dict[str, str]) -> dict[str, str]:
    """Return the rules of the styles that have a colour of their own on each ground, by name."""
    rules = {name: f"color: {hue};" for name, hue in zip(SERIES, series, strict=True)}
    for name, hue in (*zip(HEAT, heat, strict=True), *pair.items()):
        rules[name] = f"color: {hue};"
        rules[f"on-{name}"] = f"background: {hue};"
    for name, hue in zip(HEAT, heat, strict=True):
        rules[f"text-on-{name}"] = f"background: {hue}; color: auto 95%;"
    return rules


_COLOURED = {
    "dark": _coloured(SERIES_ON_DARK, HEAT_ON_DARK, PAIR_ON_DARK),
    "light": _coloured(SERIES_ON_LIGHT, HEAT_ON_LIGHT, PAIR_ON_LIGHT),
}

COMPONENTS = {f"drawn--{name}" for name in (*_MEANINGS, *_COLOURED["dark"])}


def series_style(position: int) -> str:
    """Return the style of the series at a position from 0; after eight they start again."""
    return SERIES[position % len(SERIES)]


def heat_style(share: float) -> str:
    """Return the style of a share from 0 to 1 of the scale."""
    return HEAT[min(max(int(share * len(HEAT)), 0), len(HEAT) - 1)]


def _rules() -> str:
    rules = [f"  & > .drawn--{name} {{ {body} }}" for name, body in _MEANINGS.items()]
    for kind, coloured in _COLOURED.items():
        rules += [f"  &:{kind} > .drawn--{name} {{ {body} }}" for name, body in coloured.items()]
    return "\n".join(rules)


CSS = f"Drawn {{\n  width: 1fr;\n{_rules()}\n}}\n"

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

PAIR_ON_DARK = {"reference": "#56b4e9", "current": "#e69f00", "both": "#8f98a3"}
PAIR_ON_LIGHT = {"reference": "#0072b2", "current": "#b36b00", "both": "#7b8490"}
"""What is compared, and where both are."""

_MEANINGS = {
    "muted": "auto 60%",
    "faint": "$foreground 25%",
    "label": "auto 80%",
    "strong": "bold",
    "header": "bold auto 60%",
    "accent": "$accent",
    "good": "$success",
    "warn": "$warning",
    "bad": "$error",
    "unknown": "auto 60%",
    "band": "on $foreground 8%",
    "band-edge": "$foreground 8%",
    "edge": "$foreground 25%",
    "cursor": "on $foreground 18%",
    "row": "on $primary 25%",
    "row-blurred": "on $foreground 8%",
}
"""Textual styles by name; they follow the theme. `auto` is black or white, whichever stands out: some themes
have a foreground too weak to be dimmed, and `$text-muted` loses its share when it is read as a style."""

_READABLE = {"accent": "$text-accent", "good": "$text-success", "warn": "$text-warning", "bad": "$text-error"}
"""What takes the place of some on a light ground, where many themes have hues too pale for text."""


def _coloured(series: tuple[str, ...], heat: tuple[str, ...], pair: dict[str, str]) -> dict[str, str]:
    """Return the styles that have a colour of their own on each ground, by name."""
    styles = dict(zip(SERIES, series, strict=True))
    for name, hue in (*zip(HEAT, heat, strict=True), *pair.items()):
        styles[name] = hue
        styles[f"on-{name}"] = f"on {hue}"
    for name, hue in zip(HEAT, heat, strict=True):
        styles[f"text-on-{name}"] = f"auto 95% on {hue}"
    return styles


# Not component classes of the style sheet: Textual matches every one of them against every rule whenever a
# widget is mounted, focused or hovered, which took 5 ms a widget for this many.
ON_DARK = _MEANINGS | _coloured(SERIES_ON_DARK, HEAT_ON_DARK, PAIR_ON_DARK)
ON_LIGHT = _MEANINGS | _READABLE | _coloured(SERIES_ON_LIGHT, HEAT_ON_LIGHT, PAIR_ON_LIGHT)
"""All styles of the palette by name."""


def series_style(position: int) -> str:
    """Return the style of the series at a position from 0; after eight they start again."""
    return SERIES[position % len(SERIES)]

"""The app's own themes.

Colours follow Okabe and Ito (2008), "Color Universal Design": bluish green and vermilion for better and
worse, sky blue and purple for baseline and candidate: they stay apart for readers with colour blindness.
"""

from __future__ import annotations

from textual.theme import Theme

_DARK = {
    "good": "#3fc9a0",
    "bad": "#ff8552",
    "unclear": "#e6c35c",
    "baseline": "#78c3f2",
    "candidate": "#dba5e6",
    "quiet": "#8391a5",
    "hairline": "#2b3644",
    "heading": "#b9c7d8",
    "footer-background": "#141b24",
    "footer-key-foreground": "#78c3f2",
    "footer-description-foreground": "#8391a5",
    "footer-item-background": "#141b24",
    "border": "#78c3f2",
    "border-blurred": "#2b3644",
    "block-cursor-background": "#1f3a52",
    "block-cursor-foreground": "#ffffff",
    "block-cursor-text-style": "none",
}

_LIGHT = {
    "good": "#00694d",
    "bad": "#b23c00",
    "unclear": "#7a5900",
    "baseline": "#0b5f96",
    "candidate": "#8a3a86",
    "quiet": "#5b6673",
    "hairline": "#c9d1d9",
    "heading": "#2b3947",
    "footer-background": "#e6eaee",
    "footer-key-foreground": "#0b5f96",
    "footer-description-foreground": "#4b5663",
    "footer-item-background": "#e6eaee",
    "border": "#0b5f96",
    "border-blurred": "#c9d1d9",
    "block-cursor-background": "#cfe3f2",
    "block-cursor-foreground": "#10202e",
    "block-cursor-text-style": "none",
}

DARK = Theme(
    name="mlwatch-dark",
    primary="#78c3f2",
    secondary="#dba5e6",
    accent="#78c3f2",
    success="#3fc9a0",
    warning="#e6c35c",
    error="#ff8552",
    foreground="#d8e0ea",
    background="#0e131a",
    surface="#141b24",
    panel="#1a2330",
    dark=True,
    variables=_DARK,
)

LIGHT = Theme(
    name="mlwatch-light",
    primary="#0b5f96",
    secondary="#8a3a86",
    accent="#0b5f96",
    success="#00694d",
    warning="#7a5900",
    error="#b23c00",
    foreground="#16202b",
    background="#fafbfc",
    surface="#f0f3f5",
    panel="#e6eaee",
    dark=False,
    variables=_LIGHT,
)

THEMES = (DARK, LIGHT)

OWN_VARIABLES = {name: _DARK[name] for name in ("good", "bad", "unclear", "baseline", "candidate")} | {
    "quiet": "#8391a5",
    "hairline": "#3a4450",
    "heading": "#b9c7d8",
}
"""What a theme that is not ours gets for the names that only we use."""

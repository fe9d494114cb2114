"""The page of a tab; nothing in it comes from another host."""

from __future__ import annotations

from html import escape

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<link rel="stylesheet" href="/static/css/xterm.css">
<link rel="stylesheet" href="/page.css">
<script src="/static/js/textual.js"></script>
<script src="/page.js" defer></script>
</head>
<body>
<p class="note waiting">Starting mlwatch …</p>
<div class="note closed"><p>This tab has ended.</p><button type="button" id="again">Open again</button></div>
<div id="terminal" class="textual-terminal" data-font-size="{size}"></div>
</body>
</html>
"""

STYLE = """@font-face {
  font-family: "Roboto Mono"; src: url("/static/fonts/RobotoMono-VariableFont_wght.ttf"); font-weight: 100 700;
}
@font-face {
  font-family: "Roboto Mono"; font-style: italic; font-weight: 100 700;
  src: url("/static/fonts/RobotoMono-Italic-VariableFont_wght.ttf");
}
body { background: #0e131a; color: #d8e0ea; font-family: "Roboto Mono", menlo, monospace; margin: 0; }
.note { position: absolute; inset: 40% 0 auto 0; text-align: center; }
.closed { display: none; z-index: 2; }
.closed button { font: inherit; padding: 8px 24px; }
body.-first-byte .waiting, body.-closed .waiting { display: none; }
body.-closed .closed { display: block; }
body.-closed .textual-terminal { opacity: 0.3; }
"""

SCRIPT = """const home = window.location.origin;  // behind a proxy only the browser knows whether it speaks TLS
document.getElementById("terminal").dataset.sessionWebsocketUrl = home.replace(/^http/, "ws") + "/ws";
document.getElementById("again").addEventListener("click", () => window.location.reload());
"""


def page(title: str, size: int) -> str:
    """Return the HTML.

    Args:
        title: What is watched.
        size: Of the font, in pixels.
    """
    return PAGE.format(title=escape(f"mlwatch {title}"), size=size)

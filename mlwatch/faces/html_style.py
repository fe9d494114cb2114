"""The style sheet of the HTML report: the app's colours, which colour-blind eyes tell apart."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --text: #1d2731; --quiet: #5b6673; --hairline: #c9d1d9;
  --good: #00694d; --bad: #b23c00; --unclear: #7a5900; --baseline: #0b5f96; --candidate: #8a3a86; }
@media (prefers-color-scheme: dark) { :root { --ground: #10161d; --text: #dbe3ec; --quiet: #8391a5;
  --hairline: #2b3644; --good: #3fc9a0; --bad: #ff8552; --unclear: #e6c35c; --baseline: #78c3f2;
  --candidate: #dba5e6; } }
body { margin: 0; background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.25rem; } h3 { font-size: 1rem; margin: 1.2rem 0 0.3rem; }
h1, h2, h3, td, th, li, p { overflow-wrap: anywhere; }
.verdict { border-left: 0.4rem solid var(--unclear); padding: 0.1rem 1rem; margin: 1.2rem 0; }
.verdict.promote { border-color: var(--good); } .verdict.rollback { border-color: var(--bad); }
.verdict.promote h2 { color: var(--good); } .verdict.rollback h2 { color: var(--bad); }
.verdict.hold h2 { color: var(--unclear); }
.quiet, footer { color: var(--quiet); } footer { font-size: 0.85rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.9rem 0.2rem 0; text-align: left; border-bottom: 1px solid var(--hairline);
  font-weight: normal; vertical-align: top; }
thead th { font-weight: 600; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1rem; }
figure { margin: 0; break-inside: avoid; } figcaption { font-weight: 600; }
svg { width: 100%; height: auto; } svg.sample { width: 28px; height: 10px; }
svg text { fill: var(--quiet); }
polyline { stroke-linejoin: round; }
line.axis { stroke: var(--hairline); stroke-width: 1; }
.baseline { stroke: var(--baseline); } .candidate { stroke: var(--candidate); }
.other { stroke: var(--quiet); }
circle.baseline { fill: var(--baseline); } circle.candidate { fill: var(--candidate); }
circle.other { fill: var(--quiet); }
.legend span { margin-right: 1.5rem; }
@media print { main { max-width: none; padding: 0; } section { break-inside: auto; } .wide { overflow: visible; } }
"""

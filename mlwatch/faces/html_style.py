"""The style sheet of HTML reports: one set of colours for light and dark ground, and for print."""

from __future__ import annotations

from mlwatch.faces.pens import COLOURS, DASHES, PENS

GROUNDS = {"ground": ("#ffffff", "#10161d"), "card": ("#f6f8f9", "#161e27")}


def _variables(place: int) -> str:
    return " ".join(f"--{name}: {pair[place]};" for name, pair in {**GROUNDS, **COLOURS}.items())


def _pictures() -> str:
    """Return the rules that turn the colours of pictures, which are the light ones."""
    return "\n".join(
        f'svg [fill="{light}"] {{ fill: var(--{name}); }} svg [stroke="{light}"] {{ stroke: var(--{name}); }}'
        for name, (light, _) in COLOURS.items()
    )


def _samples() -> str:
    """Return how the versions' lines look in the key."""
    kinds = ("solid", "dashed", "dotted", "dashed", "dashed", "dotted")
    return "\n".join(
        f".key .pen{place} {{ border-top: 2px {kind} var(--{name}); }}"
        for place, (name, kind, _) in enumerate(zip(PENS, kinds, DASHES, strict=True))
    )


STYLE = f"""
:root {{ color-scheme: light; {_variables(0)} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ color-scheme: dark; {_variables(1)} }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }}
main {{ max-width: 70rem; margin: 0 auto; padding: 2rem 1.5rem 3rem; }}
h1, h2, h3, li, p, figcaption {{ overflow-wrap: anywhere; }} th, td {{ overflow-wrap: break-word; max-width: 34rem; }}
h1 {{ font-size: 1rem; font-weight: 600; margin: 0; letter-spacing: 0.02em; }}
h2 {{ font-size: 1.35rem; line-height: 1.25; margin: 2.6rem 0 0.4rem; }}
h3 {{ font-size: 1.05rem; margin: 1.8rem 0 0.5rem; }}
p {{ margin: 0.3rem 0; }} ul {{ margin: 0.5rem 0 0.8rem; padding-left: 1.2rem; }} li {{ margin: 0.15rem 0; }}
header p, .quiet, footer {{ color: var(--quiet); }} .quiet, header p, footer {{ font-size: 0.88rem; }}
.verdict {{ border: 1px solid var(--hairline); border-left: 0.45rem solid var(--tone); border-radius: 0.4rem;
  background: var(--card); padding: 1rem 1.3rem; margin: 1.2rem 0; --tone: var(--unclear); }}
.verdict.promote {{ --tone: var(--good); }} .verdict.rollback {{ --tone: var(--bad); }}
.verdict.none {{ --tone: var(--quiet); }}
.verdict h2 {{ color: var(--tone); font-size: 1.7rem; margin: 0; }}
.verdict .subject {{ margin: 0 0 0.6rem; color: var(--quiet); }}
.wide {{ overflow-x: auto; margin: 0.4rem 0 0.9rem; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.92rem; }}
th, td {{ padding: 0.26rem 1.3rem 0.26rem 0; text-align: left; border-bottom: 1px solid var(--hairline);
  font-weight: normal; vertical-align: top; }}
thead th {{ font-weight: 600; color: var(--quiet); font-size: 0.85rem; vertical-align: bottom; }}
th[scope=row] {{ min-width: 9rem; max-width: 22rem; }}
td .band {{ color: var(--quiet); margin-left: 0.4rem; font-size: 0.85em; white-space: nowrap; }}
.worse {{ color: var(--bad); }} .better, .non-inferior {{ color: var(--good); }}
.inconclusive {{ color: var(--unclear); }}
.charts {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(19.5rem, 1fr)); gap: 0.9rem;
  margin: 0.5rem 0; }}
figure {{ margin: 0; break-inside: avoid; border: 1px solid var(--hairline); border-radius: 0.4rem;
  padding: 0.6rem 0.8rem 0.5rem; background: var(--ground); }}
figure.broad {{ grid-column: 1 / -1; }}
figcaption + p {{ margin: -0.2rem 0 0.2rem; }}
figcaption {{ font-weight: 600; font-size: 0.88rem; margin-bottom: 0.3rem; }}
figure svg {{ display: block; width: 100%; height: auto; overflow: visible; }} figure.broad svg {{ max-width: 52rem; }}
svg text {{ font-family: system-ui, sans-serif; }}
.key {{ font-size: 0.88rem; color: var(--quiet); }} .key span {{ margin-right: 1.4rem; white-space: nowrap; }}
.key i {{ display: inline-block; width: 1.7rem; height: 0; margin: 0 0.45rem 0.22rem 0; vertical-align: middle; }}
.key .was {{ height: 0.7rem; background: var(--quiet); opacity: 0.35; }}
.key .turn {{ border-top: 2px dotted var(--bad); }}
{_samples()}
{_pictures()}
@page {{ margin: 14mm 12mm; }}
@media print {{ html {{ font-size: 11px; }} body {{ font-size: 1rem;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
  main {{ max-width: none; padding: 0; }} .wide {{ overflow: visible; }} h2, h3, .key {{ break-after: avoid; }}
  tr, li, .key {{ break-inside: avoid; }} thead {{ display: table-header-group; }}
  .charts {{ grid-template-columns: repeat(3, 1fr); gap: 0.5rem; }} th, td {{ padding-right: 0.8rem; }} }}
"""

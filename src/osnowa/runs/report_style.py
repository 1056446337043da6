"""The look of a report: one style sheet, light and dark, from a phone to a wide screen."""

from __future__ import annotations

from osnowa.runs.report_html import Html

_LIGHT = """
  --paper: #fbfaf6; --card: #ffffff; --ink: #1d2125; --soft: #5d656d; --hair: #dfdbd1; --faint: #efece4;
  --held: #0b6b75; --train: #935a08; --plain: #45505a; --warn: #a2341f; --wash: #e8f1f1;
"""
_DARK = """
  --paper: #14171a; --card: #1a1e22; --ink: #e6e8ea; --soft: #9ba4ad; --hair: #30363d; --faint: #23282d;
  --held: #5bc8d0; --train: #e0a64e; --plain: #b4bec8; --warn: #f28b76; --wash: #1d2c2f;
"""

STYLE = Html(
    ":root { color-scheme: light dark;"
    + _LIGHT
    + "}\n@media (prefers-color-scheme: dark) { :root {"
    + _DARK
    + """} }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.55;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums lining-nums; }
.warp { height: 10px; background:
  linear-gradient(var(--paper) 0 0) 0 4px / 100% 1px no-repeat,
  repeating-linear-gradient(90deg, var(--held) 0 1px, transparent 1px 5px); opacity: .55; }
main { max-width: 69rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1, h2, h3, .lede { font-family: Charter, "Bitstream Charter", "Iowan Old Style", Georgia, "Noto Serif", serif;
  text-wrap: balance; }
h1 { font-size: clamp(1.65rem, 1.1rem + 2.4vw, 2.6rem); line-height: 1.16; font-weight: 600; letter-spacing: -.012em;
  margin: .5rem 0 1rem; max-width: 26em; }
h2 { font-size: 1.5rem; line-height: 1.25; font-weight: 600; margin: 0 0 .35rem; }
h3 { font-size: 1.08rem; line-height: 1.3; font-weight: 600; margin: 0 0 .5rem; }
section > h3, .columns h3 { margin-top: 1.7rem; }
p { margin: 0 0 .7rem; max-width: 44rem; }
a { color: var(--held); text-underline-offset: .15em; }
.over { color: var(--soft); font-size: .85rem; margin: 0; }
.over strong { color: var(--ink); font-weight: 600; }
.lede { font-size: 1.12rem; color: var(--ink); max-width: 40em; }
.soft, .note { color: var(--soft); }
.note { font-size: .88rem; }
nav { margin: 1.4rem 0 0; font-size: .9rem; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; }
section { border-top: 1px solid var(--hair); padding: 2rem 0 1rem; margin-top: 2rem; }
section > p { color: var(--soft); }
code, pre { font: .92em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { background: var(--card); border: 1px solid var(--hair); border-radius: 6px; padding: .8rem 1rem; overflow-x: auto;
  margin: .5rem 0 1rem; white-space: pre; }
pre.fold { white-space: pre-wrap; overflow-wrap: anywhere; }
bdi { overflow-wrap: anywhere; }
.scroll code bdi, .scroll th bdi { overflow-wrap: break-word; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(11.5rem, 1fr)); margin: 1.6rem 0 0;
  background: var(--card); border: 1px solid var(--hair); border-radius: 8px; overflow: hidden; }
.figures div { padding: .8rem 1rem .85rem; border: solid var(--hair); border-width: 0 1px 1px 0; margin: 0 -1px -1px 0; }
.figures dt { color: var(--soft); font-size: .84rem; }
.figures dd { margin: 0; }
.figures .value { font-size: 1.6rem; line-height: 1.25; font-weight: 600; letter-spacing: -.01em; }
.figures .note { font-size: .82rem; line-height: 1.4; }
.figures .main .value { color: var(--held); }
.measure { display: grid; grid-template-columns: minmax(0, 1fr) 19.5rem; gap: .4rem 2rem; padding: 1.5rem 0 1.1rem;
  border-top: 1px solid var(--faint); }
.measure:first-of-type { border-top: 0; }
.measure h3 { grid-column: 1 / -1; }
figure { margin: 0; min-width: 0; }
.words { font-size: .93rem; line-height: 1.5; }
.words p { margin: 0 0 .55rem; }
.words b { font-weight: 600; }
.remark { border-left: 3px solid var(--held); background: var(--wash); padding: .5rem .75rem; border-radius: 0 5px 5px 0; }
.remark.warn { border-color: var(--warn); }
.key { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; list-style: none; margin: 0 0 .3rem; padding: 0;
  font-size: .82rem; color: var(--soft); }
.key svg { width: 22px; height: 8px; margin-right: .4rem; vertical-align: 1px; }
svg.chart { display: block; width: 100%; height: auto; }
svg.narrow { display: none; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; fill: var(--soft);
  text-anchor: middle; font-variant-numeric: tabular-nums; }
svg text.start, svg text.last { text-anchor: start; }
svg text.end { text-anchor: end; }
svg text.last { font-weight: 600; }
svg text.level { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
svg path { fill: none; }
svg .grid { stroke: var(--faint); }
svg .rule { stroke: var(--hair); }
svg .level { stroke: var(--soft); stroke-dasharray: 4 4; }
svg text.level { stroke-dasharray: none; }
svg .line { stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.held { --hue: var(--held); } .train { --hue: var(--train); } .plain { --hue: var(--plain); }
svg .held .line, svg .train .line, svg .plain .line { stroke: var(--hue); }
svg .train .line { stroke-width: 1.5; }
svg circle { fill: var(--hue); }
svg .band { fill: var(--hue); opacity: .16; }
svg text.held, svg text.train, svg text.plain { fill: var(--hue); }
.strip rect { fill: transparent; }
.strip path, .strip text { opacity: 0; }
.strip:hover path, .strip:hover text { opacity: 1; }
.strip text { fill: var(--ink); paint-order: stroke; stroke: var(--paper); stroke-width: 6px; pointer-events: none; }
.strip path { stroke: var(--soft); pointer-events: none; }
details { margin: .5rem 0; font-size: .9rem; }
summary { cursor: pointer; color: var(--soft); width: fit-content; }
summary:hover { color: var(--ink); }
.scroll { overflow-x: auto; margin: .6rem 0 1rem; }
table { border-collapse: collapse; font-size: .9rem; min-width: min(100%, 20rem); }
caption { text-align: left; color: var(--soft); font-size: .84rem; padding-bottom: .35rem; }
th, td { padding: .32rem .9rem .32rem 0; text-align: right; vertical-align: top; border-bottom: 1px solid var(--faint); }
th:first-child { text-align: left; }
th { font-weight: 400; }
thead th { color: var(--soft); font-size: .84rem; border-bottom: 1px solid var(--hair); vertical-align: bottom; }
th:last-child, td:last-child { padding-right: 0; }
table.words-left td { text-align: left; }
table.words-left thead th { text-align: left; }
tr.sum th, tr.sum td { border-top: 1px solid var(--ink); font-weight: 600; }
tr.part th { padding-left: 1.2rem; color: var(--soft); }
.track { display: flex; height: 14px; border-radius: 3px; overflow: hidden; background: var(--faint); margin: .8rem 0 .4rem; }
.track i { display: block; }
.t1 { background: var(--held); } .t2 { background: var(--train); } .t3 { background: var(--warn); opacity: .8; }
.t4 { background: var(--plain); opacity: .45; }
.swatch { display: inline-block; width: .75em; height: .75em; border-radius: 2px; margin-right: .4rem; vertical-align: -.04em; }
.probe { font-size: 1.05rem; margin: 1.3rem 0 .2rem; color: var(--ink); }
.mask { border: 1px solid var(--held); color: var(--held); border-radius: 4px; padding: 0 .3em; font-size: .82em;
  letter-spacing: .03em; }
table.guesses { width: 100%; table-layout: fixed; min-width: 34rem; }
table.guesses th:first-child { width: 4.6rem; }
table.guesses td, table.guesses thead th { text-align: left; padding-right: 1rem; }
.guess { display: flex; justify-content: space-between; gap: .6rem; }
.guess span:last-child { color: var(--soft); white-space: nowrap; }
.guess code { overflow-wrap: anywhere; }
.guess.right code { color: var(--held); font-weight: 700; }
.meter { display: block; height: 3px; margin-top: .18rem; background: var(--held); border-radius: 2px; min-width: 1px; }
.sound { color: var(--held); font-weight: 600; } .unsound { color: var(--warn); font-weight: 600; }
ul.warnings { list-style: none; padding: 0; margin: .6rem 0; max-width: 50rem; }
ul.warnings li { border-left: 3px solid var(--warn); padding: .35rem .9rem; margin: .7rem 0; background: var(--card); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 0 3rem; }
footer { color: var(--soft); font-size: .84rem; margin-top: 3rem; border-top: 1px solid var(--hair); padding-top: 1rem; }
:focus-visible { outline: 2px solid var(--held); outline-offset: 2px; }
@media (max-width: 900px) { .measure { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 560px) {
  main { padding: 1.2rem 1rem 3rem; }
  svg.wide { display: none; } svg.narrow { display: block; }
  .figures { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .figures div { padding: .65rem .75rem; }
  .figures .value { font-size: 1.35rem; }
  table.words-left { min-width: 36rem; }
  table.ledger th:nth-child(4), table.ledger td:nth-child(4) { display: none; }
  table.ledger td, table.ledger th { padding-right: .6rem; }
  table.guesses { min-width: 0; }
  table.guesses th:first-child { width: 3.4rem; }
  table.guesses th:nth-child(n+5), table.guesses td:nth-child(n+5) { display: none; }
  .guess { display: block; }
  .guess span { display: block; }
}
@media print { nav, .strip { display: none; } section, .measure { break-inside: avoid; } }
"""
)

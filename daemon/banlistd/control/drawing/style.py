"""The colours and sizes of a page with drawings. Colours are named once; a dark screen and paper get others."""

_LIGHT = "--ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --paper: #ffffff; --one: #0969da; --two: #9ec5f4; --three: #bc4c00"
_DARK = "--ink: #e6edf3; --soft: #9da7b1; --line: #3d444d; --paper: #0d1117; --one: #4493f8; --two: #1f4a80; --three: #f0883e"

# `:root` is the page, or the drawing where it is a file of its own.
COLOURS = f"""
:root {{ color-scheme: light dark; {_LIGHT} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_DARK} }} }}
@media print {{ :root {{ color-scheme: light; {_LIGHT} }} }}
"""

DRAWINGS = """
svg text { font: 12px system-ui, sans-serif; fill: var(--ink) }
svg .soft { fill: var(--soft) }
svg .head { font-weight: 600; font-size: 14px }
svg .one { fill: var(--one) }
svg .two { fill: var(--two) }
svg .three { fill: var(--three) }
svg .grid { stroke: var(--line); stroke-width: 1; fill: none }
svg .curve { stroke: var(--one); stroke-width: 1.5; fill: none }
svg .on { fill: var(--paper) }
"""

PAGE = """
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 72rem; margin: 0 auto;
  padding: 1rem }
h1 { font-size: 1.6rem; line-height: 1.2 } h2 { font-size: 1.2rem; margin: 2rem 0 .25rem; border-top: 1px solid var(--line);
  padding-top: 1rem }
h3 { font-size: 1rem; margin: 1rem 0 .25rem }
p { max-width: 48rem; margin: .25rem 0 .75rem } .soft { color: var(--soft) }
svg { display: block; max-width: 100%; height: auto }
figure { margin: 0 0 1rem } figure svg[role] { min-width: 36rem }
.scroll { overflow-x: auto } .bounded { max-height: 24rem; overflow-y: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .875rem }
th, td { text-align: left; padding: .2rem .75rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td, th[scope=row] { max-width: 24rem; overflow-wrap: break-word } th[scope=row] { font-weight: 400 }
.number { text-align: right; white-space: nowrap }
caption { text-align: left; color: var(--soft); padding: .25rem 0 }
dl { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0 } dt { color: var(--soft); font-size: .875rem }
dd { margin: 0; font-size: 1.4rem; font-weight: 600 }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 0 2rem }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt } .scroll, .bounded { overflow: visible; max-height: none }
  figure, tr { break-inside: avoid } h2, h3, caption { break-after: avoid } thead { display: table-header-group }
  svg { print-color-adjust: exact; -webkit-print-color-adjust: exact }
}
"""

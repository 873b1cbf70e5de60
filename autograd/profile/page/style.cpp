#include "autograd/profile/page/parts.h"

const std::string_view cotan::page_parts::style = R"css(
:root {
  color-scheme: light dark;
  --paper: #fbfbf9; --card: #ffffff; --ink: #23262b; --soft: #686e78; --line: #e3e3de; --grid: #eeeeea; --wash: #f4f4f0;
  --primitive: #4b7bb5; --map: #4f9a75; --sum: #cc8b3c; --region: #8d7bb8; --other: #a3a9b2; --gain: #2f7d55; --loss: #b4543f; --group: #f0f5f1;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #17191c; --card: #1f2226; --ink: #e3e4e6; --soft: #98a0ab; --line: #33373d; --grid: #2a2e33; --wash: #262a2f;
    --primitive: #6f9fd8; --map: #6dbb93; --sum: #dda75d; --region: #a999d6; --other: #7f8793; --gain: #6dbb93; --loss: #e08a75; --group: #22302a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 14px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 36px 28px 80px; }
h1 { font-size: 23px; font-weight: 600; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 15px; font-weight: 600; margin: 0; }
p.hint, .machine { color: var(--soft); margin: 2px 0 12px; max-width: 110ch; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 18px 20px; margin-top: 20px; }
.tiles { display: flex; gap: 36px; flex-wrap: wrap; margin: 20px 0 4px; }
.tile b { display: block; font-size: 26px; font-weight: 600; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); }
.gain { color: var(--gain); } .loss { color: var(--loss); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: var(--soft); padding: 5px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
td { padding: 4px 10px; border-bottom: 1px solid var(--grid); white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
td.n, th.n { text-align: right; }
td.wide { white-space: normal; }
td code, .mono { font: 12px/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
.lines { color: var(--soft); }
.scroll { overflow: auto; max-height: 470px; }
.scroll th { position: sticky; top: 0; background: var(--card); }
.bar { display: inline-block; height: 8px; border-radius: 2px; vertical-align: middle; margin-right: 8px; }
.head { display: flex; justify-content: space-between; align-items: baseline; gap: 16px; flex-wrap: wrap; margin-bottom: 4px; }
.choice button { font: inherit; color: var(--soft); background: none; border: 1px solid var(--line); padding: 3px 12px; cursor: pointer; }
.choice button:first-child { border-radius: 6px 0 0 6px; } .choice button:last-child { border-radius: 0 6px 6px 0; }
.choice button + button { border-left: 0; }
.choice button.on { color: var(--ink); background: var(--wash); }
.legend { display: flex; gap: 18px; color: var(--soft); flex-wrap: wrap; margin: 4px 0 8px; }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 6px; }
svg { display: block; max-width: none; }
svg text { fill: var(--ink); font: 11px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
svg text.soft { fill: var(--soft); }
svg text.code { font: 11px ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
svg .axis { stroke: var(--line); } svg .grid { stroke: var(--grid); }
svg .roof { stroke: var(--soft); stroke-width: 1.5; fill: none; }
svg .edge { fill: none; stroke: var(--soft); stroke-opacity: .45; stroke-width: 1.1; }
svg .edge.on { stroke: var(--ink); stroke-opacity: 1; stroke-width: 1.6; }
svg .box { fill: var(--card); stroke: var(--line); stroke-width: 1; }
svg .box.fused { fill: var(--group); stroke: var(--map); }
svg .box.result { stroke-width: 2; stroke: var(--soft); }
svg .row:hover { fill: var(--wash); } svg .row { fill: transparent; }
.canvas { overflow: auto; max-height: 760px; border: 1px solid var(--line); border-radius: 6px; background: var(--paper); }
#note { position: fixed; pointer-events: none; background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 8px 11px; max-width: 480px;
  box-shadow: 0 3px 14px rgba(0, 0, 0, .14); font-size: 12px; white-space: pre-wrap; overflow-wrap: anywhere; display: none; z-index: 9; }
.columns { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 20px; }
.columns > section { min-width: 0; }
@media (max-width: 900px) { .columns { grid-template-columns: minmax(0, 1fr); } }
)css";

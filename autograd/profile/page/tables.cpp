#include "autograd/profile/page/parts.h"

const std::string_view cotan::page_parts::tables = R"js(
const {fused, unfused, machine} = data;
byId('name').textContent = data.name;
byId('machine').textContent = `${machine.processor}, ${machine.threads} threads; measured: ${machine.gflops.toFixed(0)} GFLOP/s, ` +
  `${machine.cache_gbs.toFixed(0)} GB/s in the cores' caches, ${machine.memory_gbs.toFixed(1)} GB/s from memory; ${data.repetitions} repetitions`;

for (const [text, what, kind] of [
  [timeText(fused.time_us), 'fused', ''], [timeText(unfused.time_us), 'unfused', ''],
  [data.ratio.toFixed(2) + '×', data.ratio >= 1 ? 'faster fused' : 'of the unfused speed', data.ratio >= 1.02 ? 'gain' : data.ratio < 0.98 ? 'loss' : ''],
]) byId('tiles').append(make('div', {class: 'tile'}, make('b', {class: kind}, text), make('span', {}, what)));

// A cell keeps the number itself in data-value.
{
  const rows = [
    ['Time', 'time_us', timeText], ['least', 'min_us', timeText], ['between the quartiles', 'spread_us', timeText], ['in kernels', 'run_us', timeText],
    ['Kernels', 'kernels', countText], ['Phases', 'phases', countText], ['Bytes read and written', 'bytes', bytesText], ['Operations', 'flops', flopsText],
    ['Peak memory', 'peak_bytes', bytesText],
  ];
  const table = byId('summary');
  table.append(make('tr', {}, make('th', {}, ''), make('th', {class: 'n'}, 'unfused'), make('th', {class: 'n'}, 'fused'), make('th', {class: 'n'}, 'gain')));
  for (const [title, field, text] of rows) {
    const ratio = field === 'time_us' ? data.ratio : field === 'spread_us' || !(fused[field] > 0) ? NaN : unfused[field] / fused[field];
    const cell = (side, name) => make('td', {class: 'n', 'data-side': name, 'data-field': field, 'data-value': side[field]}, text(side[field]));
    table.append(make('tr', {}, make('td', {}, title), cell(unfused, 'unfused'), cell(fused, 'fused'),
      make('td', {class: 'n ' + (ratio >= 1.02 ? 'gain' : ratio < 0.98 ? 'loss' : '')}, Number.isNaN(ratio) ? '' : ratio.toFixed(2) + '×')));
  }
}

function showKernels(side) {
  const table = byId('kernels');
  table.replaceChildren(make('tr', {}, ...[['share', ''], ['kernel', ''], ['time', 'n'], ['spread', 'n'], ['GFLOP/s', 'n'], ['GB/s', 'n'], ['of roof', 'n'],
    ['bound by', ''], ['chunks', 'n'], ['phase', 'n'], ['lines', '']].map(([t, c]) => make('th', {class: c}, t))));
  const work = side.kernel_list.reduce((sum, k) => sum + k.work_us, 0) || 1;
  for (const k of [...side.kernel_list].sort((a, b) => b.work_us - a.work_us)) {
    const share = k.work_us / work;
    const n = text => make('td', {class: 'n'}, text);
    table.append(make('tr', {},
      make('td', {}, make('span', {class: 'bar', style: `width:${Math.max(1, 90 * share)}px;background:${colourOf(k)}`}), (100 * share).toFixed(1) + '%'),
      make('td', {class: 'wide'}, make('code', {}, k.name)), n(timeText(k.time_us)), n(timeText(k.spread_us)), n(k.gflops.toFixed(1)), n(k.gbs.toFixed(1)),
      n(k.bound === 'none' ? '' : (100 * k.of_roof).toFixed(0) + '%'), make('td', {}, k.bound === 'none' ? '' : k.bound), n(k.chunks), n(k.phase),
      make('td', {class: 'lines wide'}, k.lines.slice(0, 3).join(', ') + (k.lines.length > 3 ? ` +${k.lines.length - 3}` : ''))));
  }
}
choice(byId('side'), ['fused', 'unfused'], 0, i => showKernels(i === 0 ? fused : unfused));

{
  const kinds = new Map();
  for (const m of data.misses) {
    const key = [m.what, m.reason, m.detail].join('|');
    if (!kinds.has(key)) kinds.set(key, {...m, count: 0, lines: new Set()});
    const kind = kinds.get(key);
    ++kind.count;
    if (m.line) kind.lines.add(m.line);
  }
  byId('missed').textContent = data.misses.length === 0 ? 'There is nothing: all that could be fused was.' : `${data.misses.length} in all, those met most often first.`;
  const table = byId('misses');
  for (const k of [...kinds.values()].sort((a, b) => b.count - a.count)) {
    const lines = [...k.lines];
    table.append(make('tr', {}, make('td', {class: 'n'}, k.count + '×'), make('td', {}, make('code', {}, k.what)), make('td', {class: 'wide'},
      make('b', {style: 'font-weight:500'}, k.reason.replaceAll('_', ' ')), ` ${k.detail} `,
      make('span', {class: 'lines'}, lines.slice(0, 4).join(', ') + (lines.length > 4 ? ` +${lines.length - 4}` : '')))));
  }
}
{
  const table = byId('passes');
  table.append(make('tr', {}, make('th', {}, 'pass or fusion'), make('th', {}, ''), make('th', {class: 'n'}, 'time')));
  for (const p of fused.passes)
    table.append(make('tr', {}, make('td', {}, make('code', {}, p.name)), make('td', {class: p.changed ? '' : 'lines'}, p.changed ? 'changed the graph' : 'nothing to do'),
      make('td', {class: 'n'}, timeText(p.time_us))));
}
)js";

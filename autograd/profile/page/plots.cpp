#include "autograd/profile/page/parts.h"

const std::string_view cotan::page_parts::plots = R"js(
for (const [name, title] of classes) byId('legend').append(make('span', {}, make('i', {style: `background:var(--${name})`}), title));

// 1, 2 or 5 times a power of ten, so that about `count` steps fill `range`.
function niceStep(range, count) {
  const rough = range / count, power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find(f => f * power >= rough) || 10);
}

{
  const left = 118, width = 1160, lane = 22, gap = 5;
  const end = Math.max(1e-3, ...[fused, unfused].flatMap(s => s.timeline.map(c => c[3])));
  const x = us => left + us / end * (width - left - 14);
  const svg = draw('svg', {width: '100%', viewBox: `0 0 ${width} 10`});
  let y = 8;
  const step = niceStep(end, 10);
  const grid = draw('g');
  svg.append(grid);
  for (const [title, side] of [['fused', fused], ['unfused', unfused]]) {
    svg.append(draw('text', {x: 0, y: y + 14, 'font-weight': 600}, title), draw('text', {x: 0, y: y + 29, class: 'soft'}, timeText(side.run_us)));
    for (let w = 0; w < machine.threads; ++w) {
      const top = y + w * (lane + gap);
      svg.append(draw('rect', {x: left, y: top, width: width - left - 14, height: lane, fill: 'var(--wash)', rx: 3}));
      svg.append(draw('text', {x: left - 8, y: top + 15, 'text-anchor': 'end', class: 'soft'}, `worker ${w}`));
      // Neighbouring chunks of one kernel are one bar.
      const chunks = side.timeline.filter(c => c[1] === w).sort((a, b) => a[2] - b[2]);
      for (let i = 0; i < chunks.length;) {
        let last = i;
        while (last + 1 < chunks.length && chunks[last + 1][0] === chunks[i][0] && chunks[last + 1][2] - chunks[last][3] < end / 1500) ++last;
        const kernel = side.kernel_list[chunks[i][0]], from = chunks[i][2], to = chunks[last][3], count = last - i + 1;
        const bar = draw('rect', {x: x(from), y: top + 1, width: Math.max(0.8, x(to) - x(from) - 0.4), height: lane - 2, rx: 1.5, fill: colourOf(kernel)});
        noted(bar, () => `${kernelText(kernel)}\nhere ${timeText(to - from)} on worker ${w}, ${count} chunks`);
        svg.append(bar);
        i = last + 1;
      }
    }
    y += machine.threads * (lane + gap) + 16;
  }
  for (let t = 0; t <= end; t += step) {
    grid.append(draw('line', {x1: x(t), x2: x(t), y1: 0, y2: y - 8, class: 'grid'}));
    grid.append(draw('text', {x: x(t), y: y + 6, 'text-anchor': 'middle', class: 'soft'}, timeText(t)));
  }
  svg.setAttribute('viewBox', `0 0 ${width} ${y + 14}`);
  byId('timeline').append(svg);
}

{
  const width = 560, height = 318, left = 52, bottom = 40, top = 12, right = 14;
  const points = [[unfused, false], [fused, true]].flatMap(([side, full]) => {
    const work = side.kernel_list.reduce((sum, k) => sum + k.work_us, 0) || 1;
    return side.kernel_list.filter(k => k.flops > 0 && k.bytes > 0 && k.time_us > 0).map(k => ({k, full, share: k.work_us / work, x: k.flops / k.bytes, y: k.gflops}));
  });
  const ridge = machine.gflops / machine.memory_gbs;
  const lowX = Math.min(0.05, ...points.map(p => p.x)) / 1.5, highX = Math.max(ridge * 4, ...points.map(p => p.x)) * 1.5;
  const highY = Math.max(machine.gflops, ...points.map(p => p.y)) * 2, lowY = Math.max(highY / 1e5, Math.min(machine.gflops / 500, ...points.map(p => p.y)) / 1.5);
  const x = v => left + Math.log(v / lowX) / Math.log(highX / lowX) * (width - left - right);
  const y = v => height - bottom - Math.log(Math.max(v, lowY) / lowY) / Math.log(highY / lowY) * (height - bottom - top);
  const svg = draw('svg', {width: '100%', viewBox: `0 0 ${width} ${height}`});
  for (let e = Math.ceil(Math.log10(lowX)); 10 ** e <= highX; ++e) {
    svg.append(draw('line', {x1: x(10 ** e), x2: x(10 ** e), y1: top, y2: height - bottom, class: 'grid'}));
    svg.append(draw('text', {x: x(10 ** e), y: height - bottom + 15, 'text-anchor': 'middle', class: 'soft'}, String(+(10 ** e).toPrecision(1))));
  }
  for (let e = Math.ceil(Math.log10(lowY)); 10 ** e <= highY; ++e) {
    svg.append(draw('line', {x1: left, x2: width - right, y1: y(10 ** e), y2: y(10 ** e), class: 'grid'}));
    svg.append(draw('text', {x: left - 7, y: y(10 ** e) + 4, 'text-anchor': 'end', class: 'soft'}, String(+(10 ** e).toPrecision(1))));
  }
  svg.append(draw('text', {x: (left + width - right) / 2, y: height - 6, 'text-anchor': 'middle', class: 'soft'}, 'operations per byte'));
  svg.append(draw('text', {x: 0, y: 0, transform: `translate(12 ${(height - bottom + top) / 2}) rotate(-90)`, 'text-anchor': 'middle', class: 'soft'}, 'GFLOP/s'));
  for (const [bandwidth, title, dash] of [[machine.cache_gbs, 'caches', '5 4'], [machine.memory_gbs, 'memory', '']]) {
    const from = Math.max(lowX, lowY / bandwidth), corner = machine.gflops / bandwidth;
    svg.append(draw('path', {class: 'roof', 'stroke-dasharray': dash,
      d: `M${x(from)} ${y(from * bandwidth)} L${x(corner)} ${y(machine.gflops)} L${x(highX)} ${y(machine.gflops)}`}));
    const at = Math.sqrt(from * corner), angle = Math.atan2(y(machine.gflops) - y(from * bandwidth), x(corner) - x(from)) * 180 / Math.PI;
    svg.append(draw('text', {class: 'soft', 'text-anchor': 'middle', transform: `translate(${x(at)} ${y(at * bandwidth) - 6}) rotate(${angle})`},
      `${title} ${bandwidth.toFixed(0)} GB/s`));
  }
  svg.append(draw('text', {x: width - right - 4, y: y(machine.gflops) - 6, 'text-anchor': 'end', class: 'soft'}, `${machine.gflops.toFixed(0)} GFLOP/s`));
  for (const p of points.sort((a, b) => b.share - a.share)) {
    const colour = colourOf(p.k);
    const dot = draw('circle', {cx: x(p.x), cy: y(p.y), r: 3 + 11 * Math.sqrt(p.share), stroke: colour, 'stroke-width': 1.4,
      fill: p.full ? colour : 'var(--card)', 'fill-opacity': p.full ? 0.75 : 0.01});
    noted(dot, () => `${p.full ? 'fused' : 'unfused'}: ${kernelText(p.k)}`);
    svg.append(dot);
  }
  byId('roofline').append(svg);
}
)js";

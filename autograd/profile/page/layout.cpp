#include "autograd/profile/page/parts.h"

const std::string_view cotan::page_parts::layout = R"js(
// Places boxes in layers, operands above readers. Boxes: {width, height}; edges: [from, to] between boxes, without cycles. Sets x and y of each box, its centre's
// and its top's, and returns {start, width, height, paths}: where the graph begins, its size, and for each edge the points that it passes.
function layered(boxes, edges) {
  const gapX = 22, gapY = 44;
  const readers = boxes.map(() => []), operands = boxes.map(() => []);
  for (const [a, b] of edges) { readers[a].push(b); operands[b].push(a); }
  // Longest way from the top; what no box has to come before stands as close to its readers as it can.
  const waiting = operands.map(o => o.length), order = [], layer = boxes.map(() => 0);
  boxes.forEach((_, i) => { if (waiting[i] === 0) order.push(i); });
  for (let k = 0; k < order.length; ++k) for (const r of readers[order[k]]) {
    layer[r] = Math.max(layer[r], layer[order[k]] + 1);
    if (--waiting[r] === 0) order.push(r);
  }
  const late = [];
  for (const i of order) late[i] = operands[i].every(o => late[o]);
  for (const i of [...order].reverse()) if (late[i] && readers[i].length) layer[i] = Math.min(...readers[i].map(r => layer[r])) - 1;

  // Items are boxes and, where an edge passes a layer, a narrow stand-in.
  const items = boxes.map((b, i) => ({width: b.width, height: b.height, layer: layer[i], up: [], down: [], box: i}));
  const chains = edges.map(([a, b]) => {
    const chain = [a];
    for (let l = layer[a] + 1; l < layer[b]; ++l) {
      items.push({width: 6, height: 0, layer: l, up: [], down: [], box: -1});
      chain.push(items.length - 1);
    }
    chain.push(b);
    for (let k = 1; k < chain.length; ++k) { items[chain[k - 1]].down.push(chain[k]); items[chain[k]].up.push(chain[k - 1]); }
    return chain;
  });
  const layers = [];
  items.forEach((item, i) => { (layers[item.layer] ||= []).push(i); });
  for (const l of layers) l.forEach((i, at) => { items[i].at = at; });

  // Order: each item near the middle of its neighbours, downwards and upwards in turn; the order with the fewest crossings is kept.
  const crossings = () => {
    let sum = 0;
    for (const l of layers) {
      const ends = l.flatMap(i => items[i].down.map(d => items[d].at).sort((p, q) => p - q));
      for (let p = 0; p < ends.length; ++p) for (let q = p + 1; q < ends.length; ++q) if (ends[p] > ends[q]) ++sum;
    }
    return sum;
  };
  let best = layers.map(l => [...l]), least = crossings();
  for (let sweep = 0; sweep < 14 && least > 0; ++sweep) {
    const down = sweep % 2 === 0;
    for (let k = 0; k < layers.length; ++k) {
      const l = layers[down ? k : layers.length - 1 - k];
      const middle = new Map(l.map(i => {
        const near = (down ? items[i].up : items[i].down).map(n => items[n].at);
        return [i, near.length ? near.reduce((s, v) => s + v, 0) / near.length : items[i].at];
      }));
      l.sort((p, q) => middle.get(p) - middle.get(q));
      l.forEach((i, at) => { items[i].at = at; });
    }
    const now = crossings();
    if (now < least) { least = now; best = layers.map(l => [...l]); }
  }
  best.forEach((l, k) => { layers[k] = l; l.forEach((i, at) => { items[i].at = at; }); });

  // Places: each item where its neighbours are, as far as the order and the gaps allow.
  const gap = (p, q) => (items[p].width + items[q].width) / 2 + (items[p].box < 0 && items[q].box < 0 ? 8 : gapX);
  for (const l of layers) {
    let x = 0;
    l.forEach((i, k) => { x += k ? gap(l[k - 1], i) : 0; items[i].x = x; });
    const shift = x / 2;
    for (const i of l) items[i].x -= shift;
  }
  for (let round = 0; round < 24; ++round) {
    const down = round % 2 === 0;
    for (let k = 0; k < layers.length; ++k) {
      const l = layers[down ? k : layers.length - 1 - k];
      const want = l.map(i => {
        const near = down ? items[i].up : items[i].down;
        return near.length ? near.reduce((s, n) => s + items[n].x, 0) / near.length : items[i].x;
      });
      // From both ends, and the mean of the two: both keep the gaps.
      const a = [], b = [];
      l.forEach((i, p) => { a[p] = p ? Math.max(want[p], a[p - 1] + gap(l[p - 1], i)) : want[p]; });
      for (let p = l.length - 1; p >= 0; --p) b[p] = p + 1 < l.length ? Math.min(want[p], b[p + 1] - gap(l[p], l[p + 1])) : want[p];
      l.forEach((i, p) => { items[i].x = (a[p] + b[p]) / 2; });
    }
  }
  const leftmost = Math.min(...items.map(i => i.x - i.width / 2)) - 14;
  let y = 14;
  for (const l of layers) {
    const height = Math.max(8, ...l.map(i => items[i].height));
    for (const i of l) { items[i].y = y + (height - items[i].height) / 2; items[i].x -= leftmost; }
    y += height + gapY;
  }
  boxes.forEach((b, i) => { b.x = items[i].x; b.y = items[i].y; });
  const paths = chains.map(chain => chain.flatMap((i, k) => {
    const item = items[i];
    if (item.box < 0) return [[item.x, item.y]];
    return [[item.x, k === 0 ? item.y + item.height : item.y]];
  }));
  const top = boxes.filter(b => b.y < 60);
  const start = top.reduce((sum, b) => sum + b.x, 0) / top.length;
  return {start, width: Math.max(...items.map(i => i.x + i.width / 2)) + 14, height: y - gapY + 14, paths};
}
)js";

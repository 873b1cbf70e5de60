#include "autograd/profile/page/parts.h"

const std::string_view cotan::page_parts::graphs = R"js(
// A graph as boxes: one for the nodes of each group, or of each kernel where there are no groups. Inputs and views, which no kernel computes, are rows in the boxes
// that read them, unless they are results.
function boxesOf(graph, side) {
  const short = (text, most) => text.length > most ? text.slice(0, most - 1) + '…' : text;
  const inputs = new Set(['parameter', 'data', 'variable', 'scalar', 'random', 'iota']);
  const light = graph.nodes.map(n => n.kernel < 0 && !n.result);
  const boxOf = graph.nodes.map(() => -1), boxes = [];
  const add = (nodes, fused) => {
    for (const n of nodes) boxOf[n] = boxes.length;
    boxes.push({nodes: [...nodes].sort((a, b) => a - b), fused});
  };
  for (const g of graph.groups) if (g.nodes.some(n => !light[n])) add(g.nodes, g.fused);
  graph.nodes.forEach((_, i) => { if (boxOf[i] < 0 && !light[i]) add([i], false); });

  const seen = new Set(), edges = [];
  boxes.forEach((b, at) => {
    // What it reads, through views.
    const read = new Set(), waiting = b.nodes.flatMap(n => graph.nodes[n].operands);
    while (waiting.length) {
      const o = waiting.pop(), from = boxOf[o];
      if (from < 0 && !read.has(o)) {
        read.add(o);
        waiting.push(...graph.nodes[o].operands);
      }
      if (from < 0 || from === at || seen.has(from + ',' + at)) continue;
      seen.add(from + ',' + at);
      edges.push([from, at]);
    }
    b.kernel = Math.max(...b.nodes.map(n => graph.nodes[n].kernel));
    b.result = b.nodes.some(n => graph.nodes[n].result);
    const kernel = side.kernel_list[b.kernel];
    b.title = kernel ? [short(kernel.name, 34), timeText(kernel.time_us)] : null;
    b.rows = [...[...read].sort((p, q) => p - q).map(n => [n, true]), ...b.nodes.map(n => [n, false])].map(([n, soft]) => {
      const node = graph.nodes[n], input = inputs.has(node.kind) && !node.text.includes(' = ');
      return {n, soft, input, text: input ? node.text || node.name : short(`${node.name} = ${node.text.slice(node.text.indexOf(' = ') + 3)}`, 44), type: node.type};
    });
    const longest = Math.max(...b.rows.map(r => 6.65 * (r.text.length + r.type.length + 3)), b.title ? 6.4 * (b.title[0].length + b.title[1].length + 3) : 0);
    b.width = Math.round(longest + 18);
    b.height = (b.title ? 20 : 4) + 17 * b.rows.length + 4;
  });
  return {boxes, edges};
}

function curve(points) {
  let d = `M${points[0][0].toFixed(1)} ${points[0][1].toFixed(1)}`;
  for (let k = 1; k < points.length; ++k) {
    const [x0, y0] = points[k - 1], [x1, y1] = points[k], middle = (y0 + y1) / 2;
    d += ` C${x0.toFixed(1)} ${middle.toFixed(1)} ${x1.toFixed(1)} ${middle.toFixed(1)} ${x1.toFixed(1)} ${y1.toFixed(1)}`;
  }
  return d;
}

function drawGraph(graph, side) {
  const {boxes, edges} = boxesOf(graph, side);
  if (boxes.length === 0) return {svg: draw('svg', {viewBox: '0 0 1 1'}), start: 0, width: 1, height: 1};
  const {start, width, height, paths} = layered(boxes, edges);
  const svg = draw('svg', {viewBox: `0 0 ${width} ${height}`});
  const lines = paths.map(p => draw('path', {class: 'edge', d: curve(p)}));
  svg.append(...lines);
  boxes.forEach((b, i) => {
    const left = b.x - b.width / 2, group = draw('g');
    group.append(draw('rect', {class: `box ${b.fused ? 'fused' : ''} ${b.result ? 'result' : ''}`, x: left, y: b.y, width: b.width, height: b.height, rx: 4}));
    let y = b.y + (b.title ? 20 : 4);
    if (b.title) {
      const kernel = side.kernel_list[b.kernel];
      group.append(draw('rect', {x: left + 8, y: b.y + 8, width: 7, height: 7, rx: 1.5, fill: colourOf(kernel)}));
      const title = draw('text', {x: left + 20, y: b.y + 15.5, class: 'soft'}, b.title[0]);
      noted(title, () => kernelText(kernel));
      group.append(title, draw('text', {x: left + b.width - 8, y: b.y + 15.5, 'text-anchor': 'end', class: 'soft'}, b.title[1]));
    }
    for (const row of b.rows) {
      const node = graph.nodes[row.n];
      const area = draw('rect', {class: 'row', x: left + 2, y, width: b.width - 4, height: 17, rx: 3});
      noted(area, () => `${node.text || node.name}\n${node.kind} ${node.type}` + (node.lines.length ? '\n' + node.lines.join(', ') : '') +
        (node.kernel >= 0 ? '\n\n' + kernelText(side.kernel_list[node.kernel]) : row.input ? '' : '\nno kernel: a view of its operand, or a constant'));
      const text = draw('text', {x: left + 8, y: y + 12.5, class: row.soft ? 'code soft' : 'code', 'pointer-events': 'none'}, row.text);
      const type = draw('text', {x: left + b.width - 8, y: y + 12.5, 'text-anchor': 'end', class: 'code soft', 'pointer-events': 'none'}, row.type);
      group.append(area, text, type);
      y += 17;
    }
    group.addEventListener('mouseenter', () => edges.forEach(([a, c], e) => lines[e].classList.toggle('on', a === i || c === i)));
    group.addEventListener('mouseleave', () => lines.forEach(l => l.classList.remove('on')));
    svg.append(group);
  });
  return {svg, start, width, height};
}

{
  const kinds = [['after the passes, fused', fused.graph, fused], ['after the passes, unfused', unfused.graph, unfused], ['as recorded', data.recorded, unfused]];
  let shown = null, zoom = 0;
  const place = () => {
    if (!shown) return;
    // At first all of its width is seen, unless the text would be too small to read.
    const fit = Math.min(1, Math.max(0.62, (byId('graph').clientWidth - 4) / shown.width));
    const scale = fit * 1.35 ** zoom;
    shown.svg.setAttribute('width', shown.width * scale);
    shown.svg.setAttribute('height', shown.height * scale);
  };
  choice(byId('which'), kinds.map(k => k[0]), 0, i => {
    shown = drawGraph(kinds[i][1], kinds[i][2]);
    byId('graph').replaceChildren(shown.svg);
    place();
    byId('graph').scrollLeft = shown.start * shown.svg.getBoundingClientRect().width / shown.width - byId('graph').clientWidth / 2;
  });
  for (const [text, by] of [['−', -1], ['+', 1]]) {
    const button = make('button', {title: by > 0 ? 'larger' : 'smaller'}, text);
    button.onclick = () => { zoom += by; place(); };
    byId('zoom').append(button);
  }
  window.addEventListener('resize', place);
}
)js";

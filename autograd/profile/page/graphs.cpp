#include "autograd/profile/page/parts.h"

const std::string_view cotan::page_parts::graphs = R"js(
// A graph as boxes: one for the nodes of each group, or of each kernel where there are no groups, and one for every other node.
function boxesOf(graph, side) {
  const boxOf = graph.nodes.map(() => -1), boxes = [];
  const inputs = new Set(['parameter', 'data', 'variable', 'scalar', 'random', 'iota']);
  const add = (nodes, fused) => {
    for (const n of nodes) boxOf[n] = boxes.length;
    boxes.push({nodes: [...nodes].sort((a, b) => a - b), fused});
  };
  for (const g of graph.groups) add(g.nodes, g.fused);
  graph.nodes.forEach((_, i) => { if (boxOf[i] < 0) add([i], false); });
  for (const b of boxes) {
    const first = graph.nodes[b.nodes[0]];
    b.input = b.nodes.length === 1 && inputs.has(first.kind);
    b.kernel = Math.max(...b.nodes.map(n => graph.nodes[n].kernel));
    b.view = !b.input && b.kernel < 0;
    b.result = b.nodes.some(n => graph.nodes[n].result);
    const title = b.kernel >= 0 ? side.kernel_list[b.kernel] : null;
    b.title = title ? [title.name.length > 34 ? title.name.slice(0, 33) + '…' : title.name, timeText(title.time_us)] : null;
    b.rows = b.nodes.map(n => {
      const node = graph.nodes[n];
      if (b.input) return {n, text: node.text || node.name, type: node.type};
      const right = node.text.slice(node.text.indexOf(' = ') + 3);
      const text = `${node.name} = ${right}`;
      return {n, text: text.length > 44 ? text.slice(0, 43) + '…' : text, type: node.type};
    });
    const longest = Math.max(...b.rows.map(r => 6.65 * (r.text.length + r.type.length + 3)), b.title ? 6.4 * (b.title[0].length + b.title[1].length + 3) : 0);
    b.width = Math.round(longest + 18);
    b.height = (b.title ? 20 : 4) + 17 * b.rows.length + 4;
  }
  const seen = new Set(), edges = [];
  graph.nodes.forEach((node, i) => node.operands.forEach(o => {
    const key = boxOf[o] + ',' + boxOf[i];
    if (boxOf[o] === boxOf[i] || seen.has(key)) return;
    seen.add(key);
    edges.push([boxOf[o], boxOf[i]]);
  }));
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
  if (boxes.length === 0) return {svg: draw('svg', {viewBox: '0 0 1 1'}), width: 1, height: 1};
  const {width, height, paths} = layered(boxes, edges);
  const svg = draw('svg', {viewBox: `0 0 ${width} ${height}`});
  const lines = paths.map(p => draw('path', {class: 'edge', d: curve(p)}));
  svg.append(...lines);
  boxes.forEach((b, i) => {
    const left = b.x - b.width / 2, group = draw('g');
    const kind = b.input ? 'leaf' : b.view ? 'view' : b.fused ? 'fused' : '';
    group.append(draw('rect', {class: `box ${kind} ${b.result ? 'result' : ''}`, x: left, y: b.y, width: b.width, height: b.height, rx: b.input ? 9 : 4}));
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
        (node.kernel >= 0 ? '\n\n' + kernelText(side.kernel_list[node.kernel]) : b.input ? '' : '\nno kernel: a view of its operand, or a constant'));
      const text = draw('text', {x: left + 8, y: y + 12.5, class: 'code', 'pointer-events': 'none'}, row.text);
      const type = draw('text', {x: left + b.width - 8, y: y + 12.5, 'text-anchor': 'end', class: 'code soft', 'pointer-events': 'none'}, row.type);
      group.append(area, text, type);
      y += 17;
    }
    group.addEventListener('mouseenter', () => edges.forEach(([a, c], e) => lines[e].classList.toggle('on', a === i || c === i)));
    group.addEventListener('mouseleave', () => lines.forEach(l => l.classList.remove('on')));
    svg.append(group);
  });
  return {svg, width, height};
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
    byId('graph').scrollLeft = (shown.svg.getBoundingClientRect().width - byId('graph').clientWidth) / 2;
  });
  for (const [text, by] of [['−', -1], ['+', 1]]) {
    const button = make('button', {title: by > 0 ? 'larger' : 'smaller'}, text);
    button.onclick = () => { zoom += by; place(); };
    byId('zoom').append(button);
  }
  window.addEventListener('resize', place);
}
)js";

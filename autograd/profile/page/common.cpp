#include "autograd/profile/page/parts.h"

const std::string_view cotan::page_parts::common = R"js(
const data = JSON.parse(document.getElementById('data').textContent);
const byId = id => document.getElementById(id);

function scaled(value, units, step) {
  let u = 0;
  while (value >= step && u + 1 < units.length) { value /= step; ++u; }
  const digits = value === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toFixed(digits) + ' ' + units[u];
}
const timeText = us => scaled(us, ['µs', 'ms', 's'], 1000);
const bytesText = b => scaled(b, ['B', 'kB', 'MB', 'GB'], 1000);
const flopsText = f => scaled(f, ['FLOP', 'kFLOP', 'MFLOP', 'GFLOP', 'TFLOP'], 1000);
const countText = n => String(n);

// An element with attributes and children; texts become text nodes.
function make(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes || {})) e.setAttribute(k, v);
  e.append(...children);
  return e;
}
function draw(tag, attributes, text) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [k, v] of Object.entries(attributes || {})) e.setAttribute(k, v);
  if (text !== undefined) e.textContent = text;
  return e;
}

// What the pointer stands on, in words.
const note = byId('note');
function noted(element, text) {
  element.addEventListener('mousemove', event => {
    note.textContent = text();
    note.style.display = 'block';
    const x = Math.min(event.clientX + 14, window.innerWidth - note.offsetWidth - 12);
    const y = event.clientY + 18 + note.offsetHeight > window.innerHeight ? event.clientY - note.offsetHeight - 12 : event.clientY + 18;
    note.style.left = x + 'px';
    note.style.top = y + 'px';
  });
  element.addEventListener('mouseleave', () => { note.style.display = 'none'; });
}

const classes = [
  ['primitive', 'products and primitives'], ['map', 'elementwise loops'], ['sum', 'sums, reductions, scans'], ['region', 'fused regions'],
  ['other', 'copies, checks, other'],
];
function classOf(kernel) {
  if (/^oneDNN|^loops matmul/.test(kernel.name)) return 'primitive';
  if (kernel.name.startsWith('region')) return 'region';
  if (/map|cast|jit/.test(kernel.name)) return 'map';
  if (/sum|reduce|scan|max|min|order|sort/.test(kernel.name)) return 'sum';
  return 'other';
}
const colourOf = kernel => `var(--${classOf(kernel)})`;

function kernelText(kernel) {
  const rate = kernel.bound === 'none' ? '' :
    `\n${kernel.gflops.toFixed(1)} GFLOP/s, ${kernel.gbs.toFixed(1)} GB/s; ${(100 * kernel.of_roof).toFixed(0)}% of what ${kernel.bound} allows`;
  return `${kernel.name}\n${timeText(kernel.time_us)} (least ${timeText(kernel.min_us)}), ${kernel.chunks} chunks, phase ${kernel.phase}${rate}` +
    (kernel.parts.length ? '\nmade of: ' + kernel.parts.join('; ') : '') + (kernel.lines.length ? '\n' + kernel.lines.join(', ') : '');
}

// Buttons of which one is on.
function choice(parent, names, chosen, choose) {
  names.forEach((name, i) => {
    const button = make('button', {}, name);
    button.onclick = () => {
      [...parent.children].forEach(b => b.classList.toggle('on', b === button));
      choose(i);
    };
    parent.append(button);
    if (i === chosen) button.classList.add('on');
  });
  choose(chosen);
}
)js";

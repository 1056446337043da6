// Matrices as pictures: a colour table, one cell a number, walked with the mouse or the arrows, and shown as a table on request.
import { app } from "./app.js";
import { h, button, num, settle, short } from "./dom.js";
import { table, downloads } from "./table.js";
import { digits } from "./number.js";

let watcher = null;
/** Pictures are drawn when they come near the window. */
const watch = () => (watcher ||= new IntersectionObserver((entries) => { for (const entry of entries) if (entry.isIntersecting) { entry.target.seen(); watcher.unobserve(entry.target); } }, { rootMargin: "300px" }));

let tables = null;
export const forgetColours = () => { tables = null; };

function rgb(variable) {
  const probe = h("i", { css: { color: `var(${variable})` } });
  document.body.append(probe);
  const parts = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  probe.remove();
  return parts;
}

/** 256 colours from these stops, packed as little-endian RGBA. */
export function ramp(stops) {
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1);
    const n = Math.min(Math.floor(at), stops.length - 2);
    const [r, g, b] = stops[n].map((from, c) => Math.round(from + (stops[n + 1][c] - from) * (at - n)));
    return (255 << 24 | b << 16 | g << 8 | r) >>> 0;
  });
}

export function colours() {
  tables ||= { share: ramp([rgb("--s0"), rgb("--s1"), rgb("--s2")]), signed: ramp([rgb("--neg"), rgb("--mid"), rgb("--pos")]) };
  return tables;
}

/** A canvas with one pixel a cell. Shares are coloured by their square root, signed numbers by the largest size. */
export function pixels(values, rows, columns, signed, top) {
  const canvas = h("canvas", { width: columns, height: rows });
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  const out = new Uint32Array(image.data.buffer);
  const map = signed ? colours().signed : colours().share;
  let most = top ?? 0;
  if (!most) for (const value of values) { const size = Math.abs(value); if (size > most && size < 1e38) most = size; }
  most ||= 1;
  for (let i = 0; i < values.length; i++) {
    const x = values[i] / most;
    out[i] = Number.isNaN(x) ? 0 : map[signed ? Math.max(0, Math.min(255, Math.round(127.5 + 127.5 * x))) : Math.max(0, Math.min(255, Math.round(255 * Math.sqrt(Math.max(x, 0)))))];
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** The share that gets the strongest colour: the largest, but never less than four times an equal share. */
export function strongest(values, columns) {
  let top = Math.min(1, 4 / columns);
  for (const value of values) if (value > top) top = value;
  return top;
}

/** One vector as a strip of colours. */
export function strip(row, label) {
  if (!row) return h("span", { class: "none" }, "·");
  const canvas = pixels(row, 1, row.length, true);
  canvas.className = "strip";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  return canvas;
}

/**
 * A matrix with labels. at: {rows, columns, values, ref(r, c), hidden(r, c), rowName(r), columnName(c)}.
 * pick(r, c) is what Enter or a click does; the cell's number is told under the picture.
 */
export function heat({ title, caption, rows, columns, values, signed, ref, hidden, rowName, columnName, pick, marked, rowHead, columnHead, cell: node, top }) {
  const dot = pixels(values, rows, columns, signed, signed ? undefined : top ?? strongest(values, columns));
  const canvas = h("canvas", { width: 1, height: 1, tabindex: 0, role: "application", class: "heat", "aria-label": `${title}. ${app.w("heat_keys")}` });
  const reading = h("output", { class: "reading" });
  const cursor = { r: marked ?? 0, c: 0, on: false };
  let frame = null;
  const labels = Math.max(rows, columns) <= 40;
  const draw = () => {
    const space = canvas.parentNode?.clientWidth || 600;
    const context = canvas.getContext("2d");
    const scale = Math.min(window.devicePixelRatio || 1, 2);
    context.font = "12px system-ui, sans-serif";
      const names = labels ? Array.from({ length: rows }, (_, r) => short(rowName(r), 14)) : [];
    const heads = labels ? Array.from({ length: columns }, (_, c) => short(columnName(c), 14)) : [];
    const left = labels ? Math.ceil(Math.max(...names.map((name) => context.measureText(name).width))) + 10 : 0;
    const above = labels ? Math.ceil(Math.max(...heads.map((name) => context.measureText(name).width)) * 0.72) + 14 : 0;
    const right = labels ? Math.min(30, above * 0.6) : 0;
    const cell = Math.min(labels ? 34 : Math.max(640 / columns, 1), (space - left - right) / columns);
    const tall = labels || rows === columns ? cell : Math.max(Math.min(cell, 10), 2);
    frame = { left, above, cell, tall };
    const width = left + right + cell * columns;
    const height = above + tall * rows;
    Object.assign(canvas, { width: Math.max(width * scale, 1), height: Math.max(height * scale, 1) });
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    context.scale(scale, scale);
    const style = getComputedStyle(canvas);
    context.imageSmoothingEnabled = cell < 1;
    context.drawImage(dot, left, above, cell * columns, tall * rows);
    context.strokeStyle = style.borderTopColor;
    context.font = "12px system-ui, sans-serif";
    if (hidden && cell >= 5) hatch(context, frame, rows, columns, hidden);
    if (labels && cell >= 8) gaps(context, frame, rows, columns, style.backgroundColor);
    context.fillStyle = style.color;
    names.forEach((name, r) => {
      context.textAlign = "right";
      context.textBaseline = "middle";
      context.globalAlpha = r === marked ? 1 : 0.72;
      context.fillText(name, left - 6, above + tall * (r + 0.5));
    });
    heads.forEach((name, c) => {
      context.save();
      context.globalAlpha = 0.72;
      context.translate(left + cell * (c + 0.5), above - 6);
      context.rotate(-0.8);
      context.textAlign = "left";
      context.fillText(name, 0, 0);
      context.restore();
    });
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.strokeStyle = style.outlineColor;
    if (marked >= 0 && rows > 1) context.strokeRect(left + 0.5, above + tall * marked, cell * columns - 1, Math.max(tall, 2));
    if (cursor.on) {
      context.strokeStyle = style.color;
      context.strokeRect(left + cell * cursor.c, above + tall * cursor.r, Math.max(cell, 3), Math.max(tall, 3));
    }
  };
  const tell = () => {
    const { r, c } = cursor;
    const at = ref?.(r, c);
    const value = at && app.trace.at(at.name, at.index);
    const text = `${rowHead} «${rowName(r)}» → ${columnHead} «${columnName(c)}»: `;
    const shown = hidden?.(r, c) ? app.w("hidden_cell") : value === undefined ? app.w("only_picture") : digits(value);
    reading.replaceChildren(text, node ? node(r, c) : hidden?.(r, c) || value === undefined ? shown : num(at.name, at.index, shown));
    settle(reading.parentNode);
    app.say(reading.textContent);
  };
  const go = (r, c) => {
    Object.assign(cursor, { r: Math.min(Math.max(r, 0), rows - 1), c: Math.min(Math.max(c, 0), columns - 1), on: true });
    draw();
    tell();
  };
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [Math.floor((event.clientY - box.top - frame.above) / frame.tall), Math.floor((event.clientX - box.left - frame.left) / frame.cell)];
  };
  canvas.addEventListener("mousemove", (event) => {
    const [r, c] = place(event);
    if (r >= 0 && c >= 0 && r < rows && c < columns && (r !== cursor.r || c !== cursor.c || !cursor.on)) go(r, c);
  });
  canvas.addEventListener("click", (event) => { const [r, c] = place(event); if (r >= 0 && c >= 0) { go(r, c); pick?.(cursor.r, cursor.c); } });
  canvas.addEventListener("focus", () => { if (!cursor.on) go(cursor.r, cursor.c); });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (step) go(cursor.r + step[0], cursor.c + step[1]);
    else if (event.key === "Home") go(cursor.r, 0);
    else if (event.key === "End") go(cursor.r, columns - 1);
    else if (event.key === "Enter" || event.key === " ") pick?.(cursor.r, cursor.c);
    else return;
    event.preventDefault();
  });
  const hole = h("div");
  const asTable = button(app.w("as_table"), () => {
    const open = hole.firstChild;
    hole.replaceChildren();
    asTable.setAttribute("aria-expanded", String(!open));
    if (open) return;
    const few = Math.min(columns, 24);
    const cells = (r) => Array.from({ length: few }, (_, c) => {
      const at = ref?.(r, c);
      return node ? node(r, c) : hidden?.(r, c) ? "–" : at ? num(at.name, at.index) : "·";
    });
    hole.append(table({ title, head: [rowHead, ...Array.from({ length: few }, (_, c) => columnName(c))], count: rows, row: (r) => [{ th: h("bdi", null, rowName(r)) }, ...cells(r)] }));
    if (few < columns) hole.prepend(h("p", { class: "soft" }, app.w("first_columns", few, columns)));
    settle(hole);
  }, { "aria-expanded": "false" });
  const figure = h("figure", { class: "heatbox" }, h("div", { class: "canvasbox" }, canvas), h("figcaption", null, caption || title), reading,
    h("div", { class: "tools" }, asTable, downloads(title, null, null, () => { draw(); return canvas; })), hole);
  figure.redraw = () => { if (frame) draw(); };
  watch().observe(figure);
  figure.seen = draw;
  return figure;
}

function hatch(context, { left, above, cell, tall }, rows, columns, hidden) {
  context.save();
  context.globalAlpha = 0.5;
  context.lineWidth = 1;
  context.beginPath();
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      if (!hidden(r, c)) continue;
      const x = left + cell * c;
      const y = above + tall * r;
      context.moveTo(x + 1, y + tall - 1);
      context.lineTo(x + cell - 1, y + 1);
    }
  }
  context.stroke();
  context.restore();
}

function gaps(context, { left, above, cell, tall }, rows, columns, paper) {
  context.fillStyle = paper;
  for (let r = 1; r < rows; r++) context.fillRect(left, above + tall * r - 0.5, cell * columns, 1);
  for (let c = 1; c < columns; c++) context.fillRect(left + cell * c - 0.5, above, 1, tall * rows);
}

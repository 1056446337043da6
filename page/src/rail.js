// The data's way as a drawing in the left rail: norms where they truly are, the chosen place lit, each node a link.
import { app } from "./app.js";
import { h } from "./dom.js";

/** The nodes of one side from the tokens to the contextual matrix: {label, go, kind}. */
export function nodesOf(s) {
  const c = app.config;
  const cross = s === "dec" && !!app.trace.sides.enc;
  const pre = c.norm_placement !== "post";
  const norm = { label: c.norm === "rmsnorm" ? "RMSNorm" : "LayerNorm", go: "addnorm", kind: "norm" };
  const add = (label) => ({ label: c.norm_placement === "post" ? `+ ${norm.label}` : c.norm_placement === "sandwich" ? `${norm.label} +` : "+", go: "addnorm", kind: "add", title: label });
  const order = { learned: " + PE", sinusoidal: " + PE" }[c.position] || "";
  const first = [{ label: app.w("s_tokens"), go: "tokens" }, { label: `IE${order}${app.trace.has(`${s}.segment`) ? " + SE" : ""}`, go: "inputs" }];
  if (app.trace.has(`${s}.input`)) first.push({ ...norm, go: "inputs" });
  const inside = [pre && norm, { label: c.position === "rotary" ? "Q K V ↻" : "Q  K  V", go: "attention" }, { label: app.w("r_softmax"), go: "attention" }, { label: app.w("r_concat"), go: "joining" }, add("attention"),
    cross && pre && norm, cross && { label: app.w("r_cross"), go: "across", kind: "cross" }, cross && add("cross"), pre && norm, { label: c.num_experts ? app.w("experts") : "FFN", go: "ffn" }, add("ffn")].filter(Boolean);
  const last = [c.norm_placement !== "post" && { ...norm, go: "matrix" }, { label: app.w("r_matrix"), go: "matrix", kind: "matrix" }].filter(Boolean);
  return { first, inside, last };
}

function column(svg, s, x, width, y) {
  const { first, inside, last } = nodesOf(s);
  const high = 24;
  const gap = 9;
  const places = {};
  let at = y;
  const wire = (from, to) => svg.append(h("line", { class: "wire", x1: x + width / 2, x2: x + width / 2, y1: from, y2: to }));
  const node = ({ label, go, kind }) => {
    const link = h("a:svg", { href: `#at=${go}`, "data-go": go, "data-side": s, class: `node ${kind || ""}` },
      h("rect", { x, y: at, width, height: high, rx: kind === "add" ? 12 : 3 }), h("text", { x: x + width / 2, y: at + 16, "text-anchor": "middle" }, label));
    svg.append(link);
    if (kind) places[kind] = at;
    at += high + gap;
    return at - gap - high;
  };
  let before = null;
  const all = (list) => list.map((one) => { const top = at; if (before !== null) wire(before, top); node(one); before = top + high; return top; });
  all(first);
  at += 16;
  const box = at - 5;
  const tops = all(inside);
  svg.prepend(h("rect", { class: "layers", x: x - 7, y: box, width: width + 14, height: at - gap + 5 - box, rx: 6 }));
  // Each sum is fed past the part it closes: the residual path.
  let open = box + 2;
  inside.forEach((one, i) => {
    if (one.kind !== "add") return;
    const edge = x + width + 3.5;
    const middle = tops[i] + high / 2;
    svg.append(h("path", { class: "past", d: `M${x + width / 2} ${open} H${edge} V${middle} H${x + width}` }));
    open = tops[i] + high + gap / 2;
  });
  svg.append(h("text", { class: "times", x: x - 7, y: box - 5 }, `× ${app.trace.sides[s].layers}`));
  at += 6;
  all(last);
  return { bottom: at, places };
}

export function rail() {
  const sides = Object.keys(app.trace.sides);
  const width = sides.length > 1 ? 92 : 150;
  const full = 232;
  const svg = h("svg", { width: full, role: "group", "aria-label": app.w("rail_label") });
  const starts = sides.length > 1 ? [10, 10 + width + 28] : [(full - width) / 2];
  const made = sides.map((s, i) => column(svg, s, starts[i], width, sides.length > 1 ? 24 : 8));
  if (sides.length > 1) {
    sides.forEach((s, i) => svg.append(h("text", { class: "head", x: starts[i] + width / 2, y: 14, "text-anchor": "middle" }, app.w(s === "enc" ? "encoder" : "decoder"))));
    const from = made[0].places.matrix + 12;
    const to = (made[1].places.cross ?? made[1].places.matrix) + 12;
    const middle = starts[1] - 14;
    svg.append(h("path", { class: "bridge", d: `M${starts[0] + width} ${from} H${middle} V${to} H${starts[1] - 1}` }), h("path", { class: "tip", d: `M${starts[1] - 1} ${to} l-6 -3.5 v7 z` }));
  }
  let at = Math.max(...made.map((one) => one.bottom)) + 4;
  const ends = [["mlm", "MLM"], ["nsp", "NSP"], ["next", app.w("r_next")]].filter(([go]) => document.getElementById(go));
  const each = (full - 20 - (ends.length - 1) * 8) / Math.max(ends.length, 1);
  const owner = made.at(-1);
  const centre = starts.at(-1) + width / 2;
  ends.forEach(([go, label], i) => {
    const x = 10 + i * (each + 8);
    svg.append(h("path", { class: "wire", d: `M${centre} ${owner.bottom - 9} V${at - 5} H${x + each / 2} V${at}` }), h("a:svg", { href: `#at=${go}`, "data-go": go, class: "node end" }, h("rect", { x, y: at, width: each, height: 24, rx: 3 }), h("text", { x: x + each / 2, y: at + 16, "text-anchor": "middle" }, label)));
  });
  if (ends.length) at += 24;
  svg.setAttribute("height", at + 6);
  svg.setAttribute("viewBox", `0 0 ${full} ${at + 6}`);
  return svg;
}

/** Lights the node of the section in sight. */
export function light(root, id) {
  for (const link of root.querySelectorAll("[data-go]")) {
    const on = link.dataset.go === id && (!link.dataset.side || link.dataset.side === app.state.s);
    link.classList.toggle("on", on);
    if (on) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
  }
}

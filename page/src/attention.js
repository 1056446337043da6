// §4 one head of attention, step by step; §5 all heads; §6 concatenation and W0.
import { app } from "./app.js";
import { h, p, num, vec, word, calc, aside, tokenName, formula, short } from "./dom.js";
import { table } from "./table.js";
import { heat, pixels, strip, strongest } from "./picture.js";
import { dimTools, perSide, lengthOf, meter } from "./inputs.js";
import { softmaxOf } from "./ops.js";
import { digits } from "./number.js";

/** The weights of one head as a matrix for the eye: exact where the file has them, else the picture. */
export function weightsOf(name, head) {
  const tensor = app.trace.get(name);
  if (tensor?.whole) {
    const [, rows, columns] = tensor.shape;
    return { rows, columns, values: tensor.data.subarray(head * rows * columns, (head + 1) * rows * columns), exact: true };
  }
  const picture = app.trace.pictures.get(name) || app.trace.thumbs.get(name);
  if (picture) return app.trace.picture(picture, head);
  if (!tensor || !tensor.long || tensor.maps[0]) return null;
  const kept = tensor.indices(1);
  const size = kept.length * tensor.width;
  return { rows: kept.length, columns: tensor.width, values: tensor.data.subarray(head * size, (head + 1) * size), kept, exact: true };
}

/** Arcs from one token to those it looks at. */
function arcs(side, keys, t, row, cross) {
  const n = keys.tokens.length;
  if (!row || n > 64) return null;
  const step = Math.max(26, Math.min(72, 880 / n));
  const width = step * n + 60;
  const high = Math.min(150, 40 + step * n * 0.22);
  const x = (i) => 30 + step * (i + 0.5);
  const from = cross ? width / 2 : x(t);
  const svg = h("svg", { class: "arcs", viewBox: `0 0 ${width} ${high + 92}`, width, role: "img", "aria-label": app.w("arcs_label", tokenName(side, t)) });
  row.forEach((weight, j) => {
    if (weight < 0.004) return;
    const to = x(j);
    const rise = cross ? 0 : Math.min(high - 8, 16 + Math.abs(to - from) * 0.42);
    const shape = cross ? `M${from} 14 C${from} ${high * 0.6} ${to} ${high * 0.4} ${to} ${high}` : j === t ? `M${to - 5} ${high} c-14 -34 24 -34 10 0` : `M${from} ${high} C${from} ${high - rise * 1.3} ${to} ${high - rise * 1.3} ${to} ${high}`;
    svg.append(h("path", { d: shape, "stroke-width": (0.6 + weight * 9).toFixed(2), opacity: (0.25 + 0.75 * Math.sqrt(weight)).toFixed(2) }));
  });
  keys.tokens.forEach((token, j) => {
    svg.append(h("circle", { cx: x(j), cy: high + 5, r: 1.5 + 3 * Math.sqrt(row[j]) }));
    svg.append(h("text", { transform: `translate(${x(j)} ${high + 20}) rotate(35)`, class: !cross && j === t ? "on" : null }, short(tokenName(keys, j), 13)));
  });
  if (cross) svg.append(h("text", { x: from, y: 10, class: "on", "text-anchor": "middle" }, short(tokenName(side, t), 24)));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": app.w("arcs_label", tokenName(side, t)) }, svg);
}

const SCORES = [["dots", "q · k"], ["scaled", null], ["capped", "softcap"], ["bias", null], ["biased", null], ["masked", null]];

/** The columns of scores this model truly has, in the order of computation. */
function scoreColumns(at) {
  const factor = app.trace.made.get(`${at}.scaled`)?.attrs?.factor;
  const width = app.side.d_head;
  const usual = factor && Math.abs(factor - width ** -0.5) < 1e-6;
  const names = { scaled: usual ? `÷ √${width}` : `× ${digits(factor ?? 1)}`, bias: app.w("c_bias"), biased: `+ ${app.w("c_bias")}`, masked: app.w("c_masked"), capped: app.w("c_capped") };
  return SCORES.filter(([key]) => app.trace.has(`${at}.${key}`)).map(([key, title]) => [`${at}.${key}`, names[key] ?? title]);
}

/** One head at one token; `at` is "enc.0.attn" or "dec.0.cross", `keys` the side that is looked at. */
export function headView(at, keys) {
  const { t, h: head, s } = app.state;
  const side = app.trace.sides[at.slice(0, 3)];
  const cross = at.endsWith("cross");
  const group = side.heads / side.kv_heads;
  const shared = Math.floor(head / group);
  const q = app.trace.first(`${at}.q_turned`, `${at}.q_norm`, `${at}.q`);
  const k = app.trace.first(`${at}.k_turned`, `${at}.k_norm`, `${at}.k`);
  const columns = scoreColumns(at);
  const last = columns.at(-1)?.[0];
  const scores = last && app.trace.row(last, [head, t]);
  const soft = scores && softmaxOf(scores);
  const weights = app.trace.row(`${at}.weights`, [head, t]);
  const most = weights ? weights.indexOf(Math.max(...weights)) : -1;
  const shownQ = ["q", "q_norm", "q_turned"].filter((key) => app.trace.has(`${at}.${key}`));
  const labels = { q: "q_plain", q_norm: "q_norm", q_turned: "q_turned" };
  const raise = (j) => calc(Math.exp(scores[j] - soft.top), () => ({ title: "e^(x − max)", formula: "e^(x − max)", pairs: [["x", { name: last, index: [head, t, j] }], ["max", soft.top]] }));
  const name = tokenName(side, t);
  return [
    h("div", { class: "lines rove" }, shownQ.map((key) => h("div", { class: "line" }, h("span", { class: "what" }, app.w(labels[key], name)), vec(`${at}.${key}`, [head, t])))),
    formula(`softmax( q·Kᵀ ${columns[1]?.[1] ?? ""} ) · V`),
    weights || scores ? table({
      title: app.w("head_table", name, head + 1), count: keys.tokens.length, mark: (j) => !cross && j === t, name: `${at}-${head + 1}-${t}`,
      head: [app.w("looks_at"), app.w("c_key"), ...columns.map(([, title]) => title), "e^(x−max)", "softmax", "", app.w("c_value")],
      row: (j) => [{ th: word(keys.tokens[j]) }, vec(k, [shared, j]), ...columns.map(([tensor]) => num(tensor, [head, t, j])), soft ? raise(j) : "·",
        h("span", { class: j === most ? "most" : null }, num(`${at}.weights`, [head, t, j])), meter((weights?.[j] ?? 0) / (weights?.[most] || 1)), vec(`${at}.v`, [shared, j])],
    }) : p(app.w("row_missing")),
    h("div", { class: "lines rove result" }, h("div", { class: "line" }, h("span", { class: "what" }, app.w("head_out", head + 1, name)), vec(`${at}.context`, [head, t]))),
    weights ? h("p", { class: "facts" }, app.w("sum_line"), " ", calc(weights.reduce((sum, x) => sum + x, 0), () => ({ title: "Σ α", formula: "Σⱼ αⱼ", token: keys, rows: Array.from(weights, (value, j) => ({ label: j, factors: [{ name: `${at}.weights`, index: [head, t, j], value }] })) }))) : null,
    arcs(side, keys, t, weights, cross),
    attentionHeat(at, head, side, keys, s === at.slice(0, 3) || !cross ? t : -1)];
}

function attentionHeat(at, head, side, keys, t) {
  const matrix = weightsOf(`${at}.weights`, head);
  if (!matrix) return null;
  const rowOf = (r) => (matrix.kept ? matrix.kept[r] : Math.floor((r * side.tokens.length) / matrix.rows));
  const columnOf = (c) => Math.floor((c * keys.tokens.length) / matrix.columns);
  const full = matrix.kept || matrix.rows === side.tokens.length;
  const masked = app.trace.get(`${at}.masked`);
  const visibleName = app.trace.made.get(`${at}.masked`)?.in?.[1];
  const seen = visibleName && app.trace.get(visibleName);
  return heat({
    title: app.w("heat_title", app.state.l + 1, head + 1), caption: `${app.w("heat_caption", digits(strongest(matrix.values, matrix.columns)))} ${matrix.exact ? "" : app.w("heat_caption_picture")}`, rows: matrix.rows, columns: matrix.columns, values: matrix.values,
    ref: full ? (r, c) => ({ name: `${at}.weights`, index: [head, rowOf(r), columnOf(c)] }) : null, hidden: seen && full && masked ? (r, c) => seen.at([rowOf(r), columnOf(c)]) === 0 : null,
    rowName: (r) => tokenName(side, rowOf(r)), columnName: (c) => tokenName(keys, columnOf(c)), rowHead: app.w("from"), columnHead: app.w("to"), marked: matrix.kept ? matrix.kept.indexOf(t) : Math.floor((t * matrix.rows) / side.tokens.length), pick: (r) => app.set({ t: rowOf(r) }),
  });
}

function styleNotes(at) {
  const c = app.config;
  const side = app.side;
  const window = side.windows?.[app.state.l];
  return [
    side.kv_heads < side.heads ? aside(app.w("here"), app.w("here_grouped", side.heads, side.kv_heads, side.heads / side.kv_heads)) : null,
    app.trace.has(`${at}.q_turned`) ? aside(app.w("here"), app.w("here_turned")) : null,
    app.trace.has(`${at}.q_norm`) ? aside(app.w("here"), app.w("here_qk_norm")) : null,
    app.trace.has(`${at}.bias`) ? aside(app.w("here"), app.w("here_bias")) : null,
    c.attention_softcap ? aside(app.w("here"), app.w("here_softcap", c.attention_softcap)) : null,
    window ? aside(app.w("here"), app.w("here_window", window)) : null,
    side.causal ? aside(app.w("here"), app.w("here_causal")) : null];
}

export const attention = {
  id: "attention", title: "s_attention", deps: ["t", "s", "l", "h", "d", "k"],
  build() {
    const at = `${app.at}.attn`;
    const c = app.config;
    const width = app.side.d_head;
    return [p(app.w("attention_lead")), formula(`d_k = d_v = ${width === c.d_model / c.num_heads ? `d_model / h = ${c.d_model} / ${c.num_heads} = ${width}` : width}`), dimTools(width),
      headView(at, app.side), aside(app.w("gap"), app.w("gap_sqrt")), aside(app.w("gap"), app.w("gap_vector")), styleNotes(at)];
  },
};

function thumb(at, head) {
  const matrix = weightsOf(`${at}.weights`, head);
  if (!matrix) return h("span", { class: "none" }, "·");
  const size = 64;
  if (matrix.rows <= size && matrix.columns <= size) return pixels(matrix.values, matrix.rows, matrix.columns, false, strongest(matrix.values, matrix.columns));
  const rows = Math.min(size, matrix.rows);
  const columns = Math.min(size, matrix.columns);
  const pooled = new Float32Array(rows * columns);
  for (let r = 0; r < matrix.rows; r++) {
    const line = Math.floor((r * rows) / matrix.rows) * columns;
    for (let c = 0; c < matrix.columns; c++) {
      const place = line + Math.floor((c * columns) / matrix.columns);
      const value = matrix.values[r * matrix.columns + c];
      if (value > pooled[place]) pooled[place] = value;
    }
  }
  return pixels(pooled, rows, columns, false, strongest(pooled, matrix.columns));
}

export const heads = {
  id: "heads", title: "s_heads", deps: ["s"], touch: ["l", "h"],
  build() {
    const { s } = app.state;
    const tags = perSide(app.trace.index.analysis?.tags, s);
    const side = app.side;
    const one = (l, head) => {
      const tag = tags?.[l]?.[head];
      const picture = thumb(`${s}.${l}.attn`, head);
      picture.setAttribute?.("aria-hidden", "true");
      const tip = tag?.tag ? `${app.w(`tag_${tag.tag}`)} ${digits(tag.value)}` : "";
      const button = h("button", { type: "button", class: "thumb", "data-r": `${l},${head}`, tabindex: -1, "aria-label": `${app.w("layer")} ${l + 1}, ${app.w("head")} ${head + 1}${tip ? `: ${tip}` : ""}`, onclick: () => { app.set({ l, h: head }); document.getElementById("attention").scrollIntoView(); } },
        picture, h("small", null, `${head + 1}`));
      return h("div", { class: "headed" }, button, tip ? calc(tag.value, () => ({ title: app.w(`tag_${tag.tag}`), text: app.w("told_layers") }), tip) : null);
    };
    const rows = Array.from({ length: side.layers }, (_, l) => h("div", { class: "line", role: "group", "aria-label": `${app.w("layer")} ${l + 1}` }, h("span", { class: "what" }, `${app.w("layer")} ${l + 1}`), Array.from({ length: side.heads }, (_, head) => one(l, head))));
    const grid = h("div", { class: "thumbs rove" }, rows);
    return [p(app.w("heads_lead")), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": app.w("s_heads") }, grid), tags ? p(app.w("tags_note")) : null];
  },
  update(root) {
    root.querySelector('[aria-current="true"]')?.removeAttribute("aria-current");
    root.querySelector(`[data-r="${app.state.l},${app.state.h}"]`)?.setAttribute("aria-current", "true");
  },
};

/** What each head adds to a dimension of the result: the part of W0 that belongs to it. */
function byHead(at, t, columns) {
  const step = app.trace.made.get(`${at}.out`);
  if (!step) return null;
  const [joined, weight, bias] = step.in;
  const row = app.trace.row(joined, [t]);
  const w = app.trace.get(weight);
  const shown = columns.filter((o) => w?.row([o]));
  if (!row || !shown.length) return null;
  const width = app.side.d_head;
  const part = (head, o) => {
    let sum = 0;
    for (let c = head * width; c < (head + 1) * width; c++) sum += row[c] * w.at([o, c]);
    return calc(sum, () => ({ title: `${app.w("head")} ${head + 1} → ${o}`, formula: "Σ_c joined_c · W0[o, c]", rows: Array.from({ length: width }, (_, c) => ({ label: head * width + c, factors: [{ name: joined, index: [t, head * width + c], value: row[head * width + c] }, { name: weight, index: [o, head * width + c], value: w.at([o, head * width + c]) }] })) }));
  };
  const count = app.side.heads + (bias ? 1 : 0) + 1;
  return table({
    title: app.w("by_head_table"), count, head: [app.w("head"), `‖${app.w("head_output_short")}‖`, ...shown.map((o) => `${app.w("dim")} ${o}`)], mark: (i) => i === app.state.h,
    row: (i) => (i < app.side.heads ? [{ th: String(i + 1) }, lengthOf(`${at}.context`, [i, t]), ...shown.map((o) => part(i, o))]
      : i < count - 1 ? [{ th: app.w("bias") }, "", ...shown.map((o) => num(bias, [o]))] : [{ th: h("b", null, app.w("sum_out")) }, "", ...shown.map((o) => num(`${at}.out`, [t, o]))]),
  });
}

export const joining = {
  id: "joining", title: "s_joining", deps: ["t", "s", "l", "h", "d", "k"],
  build() {
    const at = `${app.at}.attn`;
    const { t } = app.state;
    const joined = app.trace.get(`${at}.joined`);
    if (!joined) return p(app.w("row_missing"));
    const name = tokenName(app.side, t);
    const line = (label, node) => h("div", { class: "line" }, h("span", { class: "what" }, label), node);
    const width = app.side.d_head;
    const few = app.side.heads > 12 ? 12 : app.side.heads;
    return [p(app.w("joining_lead", app.side.heads, width, app.side.heads * width)), dimTools(app.config.d_model),
      h("div", { class: "lines rove" }, Array.from({ length: few }, (_, head) => line(app.w("out_of_head", head + 1, name), vec(`${at}.context`, [head, t], Array.from({ length: Math.min(4, width) }, (_, c) => c))))),
      h("div", { class: "lines rove result" }, line(app.w("joined_line", name), vec(`${at}.joined`, [t])), line(app.w("out_line", name), vec(`${at}.out`, [t]))),
      h("div", { class: "strips" }, [[app.w("joined_short"), `${at}.joined`], [app.w("after_w0"), `${at}.out`]].map(([label, key]) => [h("span", null, label), strip(app.trace.row(key, [t]), label)])),
      byHead(at, t, shownDims(app.config.d_model)), aside(app.w("gap"), app.w("gap_w0"))];
  },
};

function shownDims(width) {
  const list = app.trace.index.dims?.d_model;
  const size = Math.min(app.state.k || 4, 8, width);
  const from = Math.min(app.state.d || 0, width - size);
  const wanted = Array.from({ length: size }, (_, i) => from + i);
  return list && !wanted.some((d) => list.includes(d)) ? list.slice(0, size) : wanted;
}

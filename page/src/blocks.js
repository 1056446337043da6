// §7 Add & Norm as it truly stands in this model, §8 the feed-forward network, §9 the contextual matrix.
import { app } from "./app.js";
import { h, p, num, vec, calc, aside, dims, tokenName, word, formula, button } from "./dom.js";
import { table } from "./table.js";
import { heat, strip } from "./picture.js";
import { dimTools, layerIn, layerOut, cosine, cosineOf, lengthOf, meter } from "./inputs.js";
import { moments } from "./ops.js";

/** One normalisation at one token: its mean, variance and ε, each with its equation. */
function normFacts(step, t) {
  const [x] = step.in;
  const row = app.trace.row(x, [t]);
  if (!row) return null;
  const centred = step.op === "layernorm";
  const { mean, variance, scale } = moments(row, step.attrs.eps, centred);
  const each = (square) => Array.from(row, (value, k) => ({ label: k, factors: square ? [{ name: x, index: [t, k], value }, { name: x, index: [t, k], value }] : [{ name: x, index: [t, k], value }] }));
  return h("p", { class: "facts rove" }, centred && ["μ = ", calc(mean, () => ({ title: "μ", formula: "μ = Σ xₖ / n", rows: each(false) })), " "], centred ? "σ² = " : "mean(x²) = ",
    calc(variance, () => ({ title: centred ? "σ²" : "mean(x²)", formula: centred ? "σ² = Σ (xₖ − μ)² / n" : "Σ xₖ² / n", rows: each(!centred), pairs: centred ? [["μ", mean]] : undefined })),
    ` ε = ${step.attrs.eps} `, centred ? "1/√(σ²+ε) = " : "1/√(mean(x²)+ε) = ", calc(scale, () => ({ title: "1/√", formula: centred ? "1/√(σ² + ε)" : "1/√(mean(x²) + ε)", pairs: [[centred ? "σ²" : "mean(x²)", variance], ["ε", step.attrs.eps]] })));
}

/** The table of one residual sum: x, the change, their sum, and the norms where they are. */
function residual(part, title) {
  const { t } = app.state;
  const sum = app.trace.made.get(`${part}.sum`);
  if (!sum || !app.trace.row(`${part}.sum`, [t])) return null;
  const [x, change] = sum.in;
  const norms = [`${part}.in`, `${part}.out_norm`, `${part}.after`].map((name) => app.trace.made.get(name)).filter(Boolean);
  const before = app.trace.made.get(`${part}.in`);
  const outNorm = app.trace.made.get(`${part}.out_norm`);
  const after = app.trace.made.get(`${part}.after`);
  const columns = [["x", x], before && [app.w("norm_before"), `${part}.in`], [outNorm ? app.w("change") : "Δ", outNorm ? outNorm.in[0] : change], outNorm && ["Δ (norm)", change], ["x + Δ", `${part}.sum`],
    after && [app.w("norm_after"), `${part}.after`]].filter(Boolean);
  const weights = after || before;
  const list = dims(app.config.d_model);
  return [h("h3", null, title), table({
    title, quiet: true, count: list.length, head: [app.w("dim"), ...columns.map(([label]) => label), ...(weights ? [weights.op === "layernorm" ? "γ" : "w"] : []), ...(weights?.in[2] ? ["β"] : [])],
    row: (i) => [{ th: String(list[i]) }, ...columns.map(([, name]) => num(name, [t, list[i]])), ...(weights ? [num(weights.in[1], [list[i]])] : []), ...(weights?.in[2] ? [num(weights.in[2], [list[i]])] : [])],
  }), norms.map((step) => [h("p", { class: "soft" }, app.w(step.out.endsWith(".in") ? "norm_of_in" : step.out.endsWith("after") ? "norm_of_sum" : "norm_of_change")), normFacts(step, t)])];
}

export const addNorm = {
  id: "addnorm", title: "s_addnorm", deps: ["t", "s", "l", "d", "k"],
  build() {
    const c = app.config;
    const at = app.at;
    return [p(app.w("addnorm_lead")), formula({ post: `${normName()}(x + f(x))`, pre: `x + f(${normName()}(x))`, sandwich: `x + ${normName()}(f(${normName()}(x)))` }[c.norm_placement] || ""),
      p(app.w(`norm_${c.norm_placement}`)), c.norm === "rmsnorm" ? aside(app.w("here"), app.w("here_rmsnorm")) : null, dimTools(c.d_model),
      residual(`${at}.attn`, app.w("after_attention")), residual(`${at}.cross`, app.w("after_cross")), residual(`${at}.ffn`, app.w("after_ffn")), aside(app.w("gap"), app.w("gap_order"))];
  },
};
const normName = () => (app.config.norm === "rmsnorm" ? "RMSNorm" : "LayerNorm");

export const ffn = {
  id: "ffn", title: "s_ffn", deps: ["t", "s", "l", "d", "k"],
  build() {
    const at = `${app.at}.ffn`;
    const { t } = app.state;
    const c = app.config;
    const gated = app.trace.has(`${at}.gate`);
    const inner = app.trace.first(`${at}.gated`, `${at}.act`);
    const row = inner && app.trace.row(inner, [t]);
    if (!row && app.trace.has(`${at}.router`)) return [p(app.w("ffn_lead")), aside(app.w("here"), app.w("here_experts")), expert(at, t)];
    if (!row) return [p(app.w("ffn_lead")), p(app.w("row_missing"))];
    const top = Array.from(row, (_, n) => n).sort((a, b) => Math.abs(row[b]) - Math.abs(row[a]) || a - b).slice(0, 100);
    const most = Math.abs(row[top[0]]) || 1;
    const columns = gated ? [["gate", `${at}.gate`], [c.activation, `${at}.act`], ["up", `${at}.up`], [`${c.activation}(gate) · up`, inner]] : [["up", `${at}.up`], [c.activation, inner]];
    const idle = row.filter((x) => Math.abs(x) < 1e-3).length;
    const input = app.trace.first(`${at}.in`, `${app.at}.cross.after`, `${app.at}.cross.sum`, `${app.at}.attn.after`, `${app.at}.attn.sum`);
    return [p(app.w("ffn_lead")), formula(gated ? `down( ${c.activation}(gate(x)) ⊙ up(x) )` : `down( ${c.activation}( up(x) ) )`), p(app.w("ffn_sizes", c.d_model, row.length, c.d_model)),
      gated ? aside(app.w("here"), app.w("here_gated")) : null,
      table({ title: app.w("neurons", tokenName(app.side, t)), count: Math.min(top.length, 12), head: [app.w("neuron"), ...columns.map(([label]) => label), ""],
        row: (i) => [{ th: String(top[i]) }, ...columns.map(([, name]) => num(name, [t, top[i]])), meter(Math.abs(row[top[i]]) / most, row[top[i]] < 0 ? "neg" : "")] }),
      p(app.w("idle", idle, row.length)), dimTools(c.d_model),
      h("div", { class: "lines rove result" }, [["x", input], [app.w("ffn_out"), `${at}.down`]].map(([label, name]) => h("div", { class: "line" }, h("span", { class: "what" }, label), vec(name, [t])))),
      h("div", { class: "strips" }, [["x", input], [`d_ff = ${row.length}`, inner], [app.w("ffn_out"), `${at}.down`]].map(([label, name]) => [h("span", null, label), strip(app.trace.row(name, [t]), label)]))];
  },
};

function expert(at, t) {
  const routed = app.trace.row(`${at}.routed`, [t]);
  return routed && table({ title: app.w("experts"), count: routed.length, head: [app.w("expert"), app.w("router"), app.w("probability")], row: (i) => [{ th: String(i + 1) }, num(`${at}.router`, [t, i]), num(`${at}.routed`, [t, i])] });
}

export const matrix = {
  id: "matrix", title: "s_matrix", deps: ["t", "s", "d", "k"],
  build() {
    const { s, t } = app.state;
    const name = `${s}.hidden`;
    const tensor = app.trace.get(name);
    if (!tensor) return p(app.w("row_missing"));
    const side = app.side;
    const kept = tensor.indices(0);
    const [seq, width] = [kept.length, tensor.width];
    const step = Math.max(1, Math.ceil(width / 256));
    const wide = Math.ceil(width / step);
    const values = step === 1 ? tensor.data : Float32Array.from({ length: seq * wide }, (_, i) => tensor.data[Math.floor(i / wide) * width + (i % wide) * step]);
    const few = Math.min(seq, 128);
    const rows = kept.slice(0, few).map((i) => tensor.row([i]));
    const near = new Float32Array(few * few);
    rows.forEach((a, r) => rows.forEach((b, c) => { near[r * few + c] = cosine(a, b); }));
    const names = (r) => tokenName(side, kept[r]);
    const nearest = rows.length > 1 && tensor.row([t]) ? kept.slice(0, few).filter((i) => i !== t).map((i) => [i, cosine(tensor.row([t]), tensor.row([i]))]).sort((a, b) => b[1] - a[1]).slice(0, 8) : [];
    return [p(app.w("matrix_lead", seq, width)), dimTools(width),
      table({ title: app.w("s_matrix"), count: seq, mark: (i) => kept[i] === t, head: [app.w("position"), app.w("token"), app.w("c_context"), app.w("length"), app.w("cos_input")],
        row: (i) => [String(kept[i]), { th: word(side.tokens[kept[i]]) }, vec(name, [kept[i]]), lengthOf(name, [kept[i]]), cosineOf(layerIn(s, 0), name, [kept[i]])] }),
      heat({ title: app.w("matrix_heat", seq, width), caption: app.w("signed_caption"), rows: seq, columns: wide, values, signed: true, ref: (r, c) => ({ name, index: [kept[r], c * step] }), rowName: names, columnName: (c) => String(c * step), rowHead: app.w("token"), columnHead: app.w("dim"), marked: kept.indexOf(t), pick: (r) => app.set({ t: kept[r] }) }),
      nearest.length ? table({ title: app.w("similar", tokenName(side, t)), count: nearest.length, head: [app.w("token"), app.w("cos_after"), app.w("cos_before")],
        row: (i) => [{ th: word(side.tokens[nearest[i][0]]) }, pairCosine(name, t, nearest[i][0]), pairCosine(layerIn(s, 0), t, nearest[i][0])] }) : null,
      few > 1 ? heat({ title: app.w("cosines"), caption: app.w("signed_caption"), rows: few, columns: few, values: near, signed: true, rowName: names, columnName: names, rowHead: app.w("token"), columnHead: app.w("token"), marked: kept.indexOf(t), cell: (r, c) => pairCosine(name, kept[r], kept[c]) }) : null,
      aside(app.w("gap"), app.w("gap_last"))];
  },
};

function pairCosine(name, i, j) {
  const [a, b] = [app.trace.row(name, [i]), app.trace.row(name, [j])];
  if (!a || !b) return "·";
  return calc(cosine(a, b), () => ({ title: `cos(${name}[${i}], [${j}])`, formula: "Σ aₖ·bₖ / (‖a‖ · ‖b‖)", rows: Array.from(a, (value, k) => ({ label: k, factors: [{ name, index: [i, k], value }, { name, index: [j, k], value: b[k] }] })) }));
}

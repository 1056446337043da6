// §2 the vectors that go in, and §3 the layers at a glance.
import { app } from "./app.js";
import { h, p, num, vec, word, calc, button, field, aside, dims } from "./dom.js";
import { table } from "./table.js";
import { strip } from "./picture.js";

/** The vectors that layer l reads, and those that it gives. */
export const layerOut = (s, l) => app.trace.first(`${s}.${l}.ffn.after`, `${s}.${l}.ffn.sum`);
export const layerIn = (s, l) => (l ? layerOut(s, l - 1) : app.trace.first(`${s}.input`, `${s}.sum`, `${s}.scaled`, `${s}.token`));

/** Which dimensions are shown: back, on, and how many. */
export function dimTools(width) {
  const shown = dims(width);
  const size = shown.length;
  const go = (d) => app.set({ d: Math.min(Math.max(d, 0), Math.max(width - size, 0)) });
  const choice = h("select", { "data-key": "k", onchange: (event) => app.set({ k: Number(event.target.value) }) },
    [4, 8, 16, 32].map((k) => h("option", { value: k, selected: k === (app.state.k || 4) }, k)));
  return h("div", { class: "tools dims" }, button("◀", () => go(shown[0] - size), { "aria-label": app.w("dims_back"), "data-key": "d-", class: "do icon" }),
    h("span", null, app.w("dims_shown", shown[0], shown.at(-1), width)), button("▶", () => go(shown[0] + size), { "aria-label": app.w("dims_on"), "data-key": "d+", class: "do icon" }),
    field(app.w("at_once"), choice));
}

const COLUMNS = { token: "c_token", scaled: "c_scaled", position: "c_position", segment: "c_segment", sum: "c_sum", input: "c_input" };

function gaps(s) {
  const c = app.config;
  return [
    aside(app.w("gap"), app.w(app.trace.has(`${s}.input`) ? "gap_norm" : "gap_no_norm")),
    c.position === "rotary" ? aside(app.w("here"), app.w("here_rotary")) : null,
    c.position === "relative" ? aside(app.w("here"), app.w("here_relative")) : null,
    c.position === "sinusoidal" ? aside(app.w("here"), app.w("here_sinusoidal")) : null,
    c.position === "none" ? aside(app.w("here"), app.w("here_none")) : null,
    c.embedding_scale && c.embedding_scale !== 1 ? aside(app.w("here"), app.w("here_scaled", c.embedding_scale)) : null];
}

function neighbours(s) {
  const list = perSide(app.trace.index.analysis?.neighbours, s)?.[app.state.t];
  if (!list) return null;
  return table({ title: app.w("nearest", nameOf(app.side, app.state.t)), head: [app.w("token"), "ID", "cos"], count: list.length,
    row: (i) => [{ th: word(list[i]) }, String(list[i].id), calc(list[i].cosine, () => ({ title: "cos", text: app.w("told_cosine"), formula: "cos(a, b) = a·b / (‖a‖ · ‖b‖)" }))] });
}

export const perSide = (value, s) => (Array.isArray(value) ? value : value?.[s]);
export const nameOf = (side, i) => side.tokens[i]?.text ?? String(i);

export const inputs = {
  id: "inputs", title: "s_inputs", deps: ["t", "s", "d", "k"],
  build() {
    const { s, t } = app.state;
    const side = app.side;
    const shown = Object.keys(COLUMNS).filter((key) => app.trace.has(`${s}.${key}`)).filter((key, _, all) => !(key === "sum" && all.length === 2 && all[0] === "token"));
    const width = app.trace.get(`${s}.token`).width;
    const rotary = app.trace.first(`${s}.cos.${app.state.l}`, `${s}.cos.0`);
    return [p(app.w("inputs_lead", width)), dimTools(width),
      table({
        title: app.w("inputs_table"), wrap: true, count: side.tokens.length, mark: (i) => i === t,
        head: [app.w("position"), app.w("token"), "ID", ...shown.map((key) => app.w(COLUMNS[key]))],
        row: (i) => [String(side.tokens[i].position), { th: word(side.tokens[i]) }, String(side.tokens[i].id), ...shown.map((key) => vec(`${s}.${key}`, [i]))],
      }),
      h("h3", null, app.w("all_dims", nameOf(side, t), width)),
      h("div", { class: "strips" }, shown.map((key) => [h("span", null, app.w(COLUMNS[key])), strip(app.trace.row(`${s}.${key}`, [t]), app.w(COLUMNS[key]))])),
      gaps(s),
      rotary ? table({ title: app.w("angles"), count: side.tokens.length, mark: (i) => i === t, head: [app.w("position"), app.w("token"), "cos θ", "sin θ"],
        row: (i) => [String(side.tokens[i].position), { th: word(side.tokens[i]) }, vec(rotary, [i]), vec(rotary.replace(".cos.", ".sin."), [i])] }) : null,
      neighbours(s)];
  },
};

export function length(row) { let sum = 0; for (const x of row) sum += x * x; return Math.sqrt(sum); }
export function cosine(a, b) { let sum = 0; for (let i = 0; i < a.length; i++) sum += a[i] * b[i]; return sum / (length(a) * length(b) || 1); }
export function entropy(row) { let sum = 0; for (const x of row) if (x > 0) sum -= x * Math.log2(x); return sum; }

/** The length of a vector in the file, with its equation. */
export function lengthOf(name, lead) {
  const row = name && app.trace.row(name, lead);
  if (!row) return "·";
  return calc(length(row), () => ({ title: `‖${name}[${lead}]‖`, formula: "‖x‖ = √Σ xₖ²", rows: Array.from(row, (value, k) => ({ label: k, factors: [{ name, index: [...lead, k], value }, { name, index: [...lead, k], value }] })) }));
}
export function cosineOf(one, other, lead) {
  const [a, b] = [one, other].map((name) => name && app.trace.row(name, lead));
  if (!a || !b) return "·";
  return calc(cosine(a, b), () => ({ title: `cos(${one}, ${other})[${lead}]`, formula: "cos(a, b) = Σ aₖ·bₖ / (‖a‖ · ‖b‖)", pairs: [["‖a‖", length(a)], ["‖b‖", length(b)]],
    rows: Array.from(a, (value, k) => ({ label: k, factors: [{ name: one, index: [...lead, k], value }, { name: other, index: [...lead, k], value: b[k] }] })) }));
}

export const meter = (share, hue) => { const bar = h("i", { class: `meter ${hue || ""}`, "aria-hidden": "true" }); bar.style.setProperty("--share", `${Math.max(0, Math.min(1, share)) * 100}%`); return bar; };

export const layers = {
  id: "layers", title: "s_layers", deps: ["t", "s", "l"],
  build() {
    const { s, t, l } = app.state;
    const told = perSide(app.trace.index.analysis?.layers, s);
    const change = (layer, part) => app.trace.first(`${s}.${layer}.${part}.out_norm`, `${s}.${layer}.${part}.${part === "ffn" ? "down" : "out"}`);
    const share = (layer) => {
      const [a, b] = [change(layer, "attn"), change(layer, "ffn")].map((name) => name && app.trace.row(name, [t]));
      if (!a || !b) return undefined;
      return { value: length(a) / (length(a) + length(b)), a: length(a), b: length(b) };
    };
    const mean = (layer) => {
      const weights = app.trace.get(`${s}.${layer}.attn.weights`);
      const rows = weights && Array.from({ length: weights.shape[0] }, (_, head) => weights.row([head, t]));
      if (!rows || rows.some((row) => !row)) return undefined;
      const each = rows.map(entropy);
      return { value: each.reduce((sum, x) => sum + x, 0) / each.length, each };
    };
    return [p(app.w("layers_lead", nameOf(app.side, t))),
      table({
        title: app.w("s_layers"), count: app.side.layers, mark: (i) => i === l,
        head: [app.w("layer"), app.w("length_in"), app.w("length_out"), app.w("cos_in_out"), app.w("entropy"), app.w("attention_share"), ""],
        row: (i) => {
          const part = share(i);
          const bits = mean(i);
          return [{ th: button(String(i + 1), () => app.set({ l: i }), { "data-key": `layer${i}`, "aria-pressed": String(i === l) }) }, lengthOf(layerIn(s, i), [t]), lengthOf(layerOut(s, i), [t]), cosineOf(layerIn(s, i), layerOut(s, i), [t]),
            bits ? calc(bits.value, () => ({ title: app.w("entropy"), formula: "H = −Σⱼ αⱼ · log₂ αⱼ", pairs: bits.each.map((x, n) => [`${app.w("head")} ${n + 1}`, x]) })) : "·",
            part ? calc(part.value, () => ({ title: app.w("attention_share"), formula: "‖Δ attn‖ / (‖Δ attn‖ + ‖Δ FFN‖)", pairs: [["‖Δ attn‖", part.a], ["‖Δ FFN‖", part.b]] })) : told?.[i]?.attn_share !== undefined ? calc(told[i].attn_share, () => ({ title: app.w("attention_share"), text: app.w("told_layers") })) : "·",
            part ? meter(part.value) : ""];
        },
      })];
  },
};

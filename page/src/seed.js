// The source text's own tables, reproduced by a four-dimensional toy, and what the text leaves out.
import { app } from "./app.js";
import { h, p, num, word, calc, aside, visible, formula } from "./dom.js";
import { table } from "./table.js";
import { softmaxOf } from "./ops.js";
import { digits } from "./number.js";

/** A number with the digits that the text prints. */
export const asPrinted = (value, printed) => {
  const places = (printed.split(".")[1] || "").length;
  const text = value.toFixed(places);
  return Number(text) === 0 && text.startsWith("-") ? text.slice(1) : text;
};

function rowVector(name, i, printed) {
  const tensor = app.trace.get(name);
  if (!tensor) return "·";
  return h("span", { class: "v" }, Array.from({ length: tensor.width }, (_, c) => [h("span", { class: "w" }, c ? "" : "[", num(name, [i, c], printed ? asPrinted(tensor.at([i, c]), printed[c]) : digitsOf(tensor.at([i, c]))), c < tensor.width - 1 ? "," : "]"), c < tensor.width - 1 ? " " : ""]));
}
const digitsOf = (x) => (x === undefined ? "·" : x.toFixed(2));

function seedTable(one) {
  const right = one.rows.map((_, i) => one.printed[i].filter((text, c) => Number(asPrinted(app.trace.at(one.sum, [i, c]) ?? NaN, text)) === Number(text)).length);
  const all = one.printed.reduce((sum, row) => sum + row.length, 0);
  const good = right.reduce((sum, x) => sum + x, 0);
  return [h("h3", null, app.w(`seed_${one.key}`)), table({
    title: app.w(`seed_${one.key}`), quiet: true, wrap: true, count: one.rows.length, head: [app.w("position"), app.w("token"), "ID", app.w("c_token"), app.w("c_position"), ...(one.segment ? [app.w("c_segment")] : []), app.w("c_sum"), app.w("text_prints"), ""],
    row: (i) => {
      const row = one.rows[i];
      return [String(row.position), { th: word({ token: row.token }) }, String(row.id), rowVector(one.token, i), rowVector(one.position, i), ...(one.segment ? [rowVector(one.segment, i)] : []), rowVector(one.sum, i, one.printed[i]), h("span", { class: "v soft" }, `[${one.printed[i].join(", ")}]`), h("b", { class: right[i] === one.printed[i].length ? "fine" : "wrong" }, right[i] === one.printed[i].length ? "✓" : "✗")];
    },
  }), h("p", { class: good === all ? "fine" : "wrong" }, app.w("seed_agree", good, all))];
}

export const seed = {
  id: "seed", title: "s_seed", deps: [],
  when: () => !!app.trace.index.seed,
  build() {
    const { tables, softmax, division, remarks } = app.trace.index.seed;
    const { top, sum } = softmaxOf(softmax.logits);
    const plain = softmax.logits.reduce((total, x) => total + Math.exp(x), 0);
    return [p(app.w("seed_lead")), tables.map(seedTable),
      h("h3", null, app.w("seed_division")), formula(`d_k = d_v = d_model / h = ${division.d_model} / ${division.heads} = ${division.d_head}`), division.why ? p(app.both(division.why)) : null,
      h("h3", null, app.w("seed_softmax")), table({
        title: app.w("seed_softmax"), quiet: true, count: softmax.logits.length, head: [app.w("token"), "logit", "e^x", app.w("right_p"), app.w("text_says"), ""],
        row: (i) => {
          const value = app.trace.at(softmax.p, [i]) ?? Math.exp(softmax.logits[i] - top) / sum;
          return [{ th: word({ token: softmax.labels[i] }) }, calc(softmax.logits[i], () => ({ title: "logit", text: app.w("told_text") }), String(softmax.logits[i])), calc(Math.exp(softmax.logits[i]), () => ({ title: "e^x", formula: "e^x", pairs: [["x", softmax.logits[i]]] })),
            app.trace.has(softmax.p) ? num(softmax.p, [i], value.toFixed(3)) : calc(value, () => ({ title: "softmax", formula: "eˣ / Σ eˣ", pairs: [["Σ eˣ", plain]] }), value.toFixed(3)), h("s", null, visible(softmax.text_says[i])), value.toFixed(3) === softmax.text_says[i] ? "✓" : h("b", { class: "wrong" }, "✗")];
        },
      }), h("p", { class: "facts rove" }, "Σ e^x = ", calc(plain, () => ({ title: "Σ e^x", formula: "Σ e^x", pairs: softmax.logits.map((x, i) => [softmax.labels[i], Math.exp(x)]) })), ` · ${app.w("text_sum")} ${digits(softmax.text_says.reduce((total, x) => total + Number(x), 0))}`),
      aside(app.w("why"), softmax.why && typeof softmax.why === "object" ? app.both(softmax.why) : app.w("why_softmax")),
      (remarks || []).map((one) => aside(app.w("note"), app.both(one)))];
  },
};

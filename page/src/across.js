// §10d the chapter that the text never wrote: encoder and decoder side by side, and what the one reads of the other.
import { app } from "./app.js";
import { h, p, num, word, aside, tokenName, formula, button, calc } from "./dom.js";
import { headView } from "./attention.js";
import { dimTools, meter } from "./inputs.js";
import { table } from "./table.js";

export const across = {
  id: "across", title: "s_across", deps: ["t", "s", "l", "h", "d", "k"],
  when: () => app.trace.has("dec.0.cross.weights") || !!(app.trace.sides.enc && app.trace.sides.dec),
  build() {
    const { enc, dec } = app.trace.sides;
    if (app.state.s !== "dec") return [p(app.w("across_lead")), columns(), button(app.w("go_decoder"), () => app.set({ s: "dec", t: undefined }))];
    const at = `dec.${Math.min(app.state.l, dec.layers - 1)}.cross`;
    return [p(app.w("across_lead")), columns(), formula("q = Wq · x_dec,   k, v = Wk, Wv · H_enc"), dimTools(dec.d_head), headView(at, enc), average(at), aside(app.w("gap"), app.w("gap_decoder")), aside(app.w("here"), app.w("here_teacher"))];
  },
};

/** Both rows of tokens; the chosen target token, and how strongly it looks at each source token. */
function columns() {
  const { enc, dec } = app.trace.sides;
  const { t, l, h: head, s } = app.state;
  const row = s === "dec" ? app.trace.row(`dec.${Math.min(l, dec.layers - 1)}.cross.weights`, [head, t]) : null;
  const source = enc.tokens.map((token, j) => h("li", null, word(token), row ? meter(row[j]) : ""));
  const target = dec.tokens.map((token, i) => h("li", null, button(word(token), () => app.set({ s: "dec", t: i }), { "aria-pressed": String(s === "dec" && i === t), "data-key": `target${i}` })));
  return h("div", { class: "two" }, h("div", null, h("h3", null, app.w("encoder")), h("ol", { class: "tokens", tabindex: 0 }, source)), h("div", null, h("h3", null, app.w("decoder")), h("ol", { class: "tokens", tabindex: 0 }, target)));
}

/** What all heads of the layer look at on average. */
function average(at) {
  const weights = app.trace.get(`${at}.weights`);
  const { enc, dec } = app.trace.sides;
  const rows = weights && dec.tokens.map((_, i) => Array.from({ length: dec.heads }, (_, head) => weights.row([head, i]))).map((each) => (each.some((one) => !one) ? null : each));
  if (!rows) return null;
  const list = rows.map((each, i) => [each, i]).filter(([each]) => each);
  const best = (each) => enc.tokens.map((_, j) => [j, each.reduce((sum, row) => sum + row[j], 0) / each.length]).sort((a, b) => b[1] - a[1]);
  return table({ title: app.w("alignment"), count: list.length, mark: (i) => list[i][1] === app.state.t, head: [app.w("target"), app.w("source"), app.w("mean_weight"), ""],
    row: (n) => {
      const [each, i] = list[n];
      const [j, value] = best(each)[0];
      return [{ th: word(dec.tokens[i]) }, word(enc.tokens[j]), calc(value, () => ({ title: `${tokenName(dec, i)} → ${tokenName(enc, j)}`, formula: "Σ_h α_h / h", pairs: each.map((_, head) => [`${app.w("head")} ${head + 1}`, { name: `${at}.weights`, index: [head, i, j] }]) })), meter(value)];
    } });
}

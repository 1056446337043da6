// §0 the model itself, and §1 its tokens.
import { app } from "./app.js";
import { h, p, word, visible, calc, num, aside, tokenText } from "./dom.js";
import { table } from "./table.js";
import { count, digits } from "./number.js";

const big = (value, label, note) => h("div", { class: "rove" }, h("dd", { class: "value" }, value), h("dt", null, label), note && h("dd", { class: "soft" }, note));

export const about = {
  id: "model", title: "s_model", deps: [],
  build() {
    const { facts, written, missing } = app.trace.index;
    const c = facts.config;
    const lang = app.state.lang;
    const layers = [c.encoder_layers, c.decoder_layers].filter(Boolean).join(" + ");
    const kv = c.num_kv_heads && c.num_kv_heads !== c.num_heads ? app.w("kv_heads_note", c.num_kv_heads) : null;
    const loss = facts.training?.held_out_loss;
    const main = h("dl", { class: "figures" },
      big(app.w(`top_${facts.topology}`), app.w("topology"), facts.family),
      big(layers, app.w("layers")), big(c.num_heads, app.w("heads"), kv), big(c.d_model, "d_model"),
      big(count(facts.parameters, lang), app.w("parameters")), big(count(facts.tokenizer.size, lang), app.w("vocabulary"), facts.tokenizer.kind),
      facts.training?.steps != null && big(count(facts.training.steps, lang), app.w("steps")),
      loss != null && big(calc(loss, () => ({ title: app.w("held_out"), text: app.w("told_loss") })), app.w("held_out"), ["e^loss = ", calc(Math.exp(loss), () => ({ title: "e^loss", formula: "e^loss", pairs: [["loss", loss]] }))]));
    const exact = h("p", { class: "exact" }, app.w("exact", facts.dtype, facts.device), " ", h("b", null, facts.exact.largest_logit_difference ? facts.exact.largest_logit_difference.toExponential(1) : "0"), ".");
    const config = Object.entries(c).filter(([, value]) => value !== null);
    const kinds = written.by_kind || [];
    return [p(app.w("model_lead", visible(facts.folder))), main, exact,
      written.all ?? written.checked ? p(app.w("written_line", count(written.all ?? written.checked, lang), written.bad, Number(written.largest).toExponential(1), written.oracle), written.all && written.checked ? ` ${app.w("written_apart", count(written.checked, lang))}` : "") : null,
      (facts.notes || []).map((note) => h("p", { class: "soft" }, visible(app.both(note), 400))),
      missing?.length ? h("details", { class: "more" }, h("summary", null, app.w("not_here", missing.length)), h("ul", null, missing.map((one) => h("li", null, h("code", null, visible(app.both(one.what), 200)), ": ", visible(app.both(one.why), 300))))) : null,
      kinds.length ? h("details", { class: "more" }, h("summary", null, app.w("by_kind")), table({ title: app.w("by_kind"), head: [app.w("kind"), app.w("checked"), app.w("largest")], count: kinds.length,
        row: (i) => [{ th: kinds[i].kind }, count(kinds[i].checked, lang), Number(kinds[i].largest).toExponential(1)] })) : null,
      h("details", { class: "more" }, h("summary", null, app.w("all_settings", config.length)), table({ title: app.w("all_settings", config.length), head: [app.w("setting"), app.w("value")], count: config.length,
        row: (i) => [{ th: h("code", null, config[i][0]) }, JSON.stringify(config[i][1])] })),
      h("p", { class: "soft" }, app.w("tokenizer_hash"), " ", h("code", { class: "hash" }, facts.tokenizer.sha256))];
  },
};

/** The text with its tokens marked where they stand in it. */
function inPlace(side) {
  const { text, second, target } = app.trace.index.text;
  const sources = { text, second, target };
  return Object.entries(sources).filter(([key, value]) => value && side.tokens.some((token) => token.from === key && token.start !== null)).map(([key, value]) => {
    const signs = Array.from(value);
    const line = h("p", { class: "inplace", dir: "auto" });
    let at = 0;
    side.tokens.forEach((token, i) => {
      if (token.from !== key || token.start === null || token.end === null) return;
      if (token.start > at) line.append(visible(signs.slice(at, token.start).join(""), 400));
      line.append(h("mark", { class: `c${i % 4}` + (i === app.state.t ? " on" : "") }, visible(signs.slice(Math.max(at, token.start), token.end).join(""), 400)));
      at = Math.max(at, token.end);
    });
    if (at < signs.length) line.append(visible(signs.slice(at).join(""), 400));
    return line;
  });
}

export const tokens = {
  id: "tokens", title: "s_tokens", deps: ["t", "s"],
  build() {
    const side = app.side;
    const flags = (token) => [token.special && app.w("special"), token.unknown && app.w("unknown")].filter(Boolean).join(", ");
    const segments = side.tokens.some((token) => token.segment !== null);
    return [p(app.w("tokens_lead", app.many(side.tokens.length, "n_tokens"))), inPlace(side),
      table({
        title: app.w("s_tokens"), count: side.tokens.length, mark: (i) => i === app.state.t,
        head: [app.w("position"), app.w("token"), "ID", app.w("piece"), app.w("characters"), ...(segments ? [app.w("segment")] : []), app.w("remark")],
        row: (i) => {
          const token = side.tokens[i];
          return [String(token.position), { th: word(token, { title: app.w("choose") }) }, String(token.id), h("code", null, h("bdi", null, visible(token.piece, 200))),
            token.start === null ? "–" : `${token.start}–${token.end}`, ...(segments ? [token.segment === null ? "–" : token.segment === 0 ? "0 (A)" : "1 (B)"] : []), flags(token)];
        },
      })];
  },
};


// §10 what the heads say: a masked token, the next sentence, the next token.
import { app } from "./app.js";
import { h, p, num, vec, calc, aside, tokenName, word, formula, button, field, visible } from "./dom.js";
import { table } from "./table.js";
import { heat } from "./picture.js";
import { dimTools, meter, perSide } from "./inputs.js";
import { softmaxOf } from "./ops.js";
import { reweigh } from "./sampling.js";
import { digits, percent, count } from "./number.js";

let vocabulary = null;
/** The token of an id, where the file names it. */
export function tokenOf(id) {
  if (!vocabulary) {
    vocabulary = new Map();
    const walk = (one) => {
      if (Array.isArray(one)) for (const each of one) walk(each);
      else if (one && typeof one === "object") {
        if (Number.isInteger(one.id) && (one.token ?? one.piece) !== undefined && !vocabulary.has(one.id)) vocabulary.set(one.id, one);
        for (const each of Object.values(one)) if (each && typeof each === "object") walk(each);
      }
    };
    walk([app.trace.index.answers, app.trace.index.analysis, app.trace.sides]);
  }
  return vocabulary.get(id) || { piece: `#${id}` };
}

/** The vectors between the contextual matrix and the logits, at one place. */
function headLines(kind, place, name, hidden) {
  const chain = [["hidden", hidden], ...["dense", "act", "norm", "scaled"].map((key) => [key, `${kind}.${key}`])].filter(([, tensor]) => app.trace.has(tensor));
  return h("div", { class: "lines rove" }, chain.map(([key, tensor]) => h("div", { class: "line" }, h("span", { class: "what" }, key === "hidden" ? app.w("h_of", name) : app.w(`head_${key}`)), vec(tensor, [place]))));
}

/** The likeliest tokens of a place: from the file's answers, or from its probabilities. */
function topOf(kind, place, told) {
  const list = told?.find((one) => one.place === place)?.top;
  if (list) return list;
  const tensor = app.trace.get(`${kind}.p`);
  if (!tensor?.has([place])) return null;
  return tensor.indices(1).map((id) => ({ id, p: tensor.at([place, id]), ...tokenOf(id) })).sort((a, b) => b.p - a.p).slice(0, 20);
}

function topTable(kind, place, list, title) {
  const row = app.trace.row(`${kind}.logits`, [place]);
  const soft = row && softmaxOf(row);
  const most = list[0]?.p || 1;
  const raw = app.trace.has(`${kind}.raw`);
  return table({
    title, count: list.length, name: `${kind}-${place}`, head: ["#", app.w("token"), "ID", ...(raw ? [app.w("raw_logit")] : []), "logit", "e^(x−max)", app.w("probability"), ""],
    row: (i) => {
      const { id } = list[i];
      const x = app.trace.at(`${kind}.logits`, [place, id]);
      return [String(i + 1), { th: word({ ...tokenOf(id), ...list[i] }) }, String(id), ...(raw ? [num(`${kind}.raw`, [place, id])] : []), num(`${kind}.logits`, [place, id]),
        soft && x !== undefined ? calc(Math.exp(x - soft.top), () => ({ title: "e^(x − max)", formula: "e^(x − max)", pairs: [["x", { name: `${kind}.logits`, index: [place, id] }], ["max", soft.top], ["Σ e^(xₖ − max)", soft.sum]] })) : "·",
        num(`${kind}.p`, [place, id]), meter(list[i].p / most)];
    },
  });
}

/** Backgrounds of a table of signed numbers. */
function tinted(value, most) {
  const share = Math.min(1, Math.abs(value) / (most || 1));
  return { background: `color-mix(in srgb, var(${value < 0 ? "--neg" : "--pos"}) ${(share * 55).toFixed(0)}%, transparent)` };
}

/** Who pushed the logit: the parts of the direct path, and what the answer becomes without a head. */
export function byPart(analysis) {
  if (!analysis?.parts?.length || !app.trace.has(analysis.contributions)) return null;
  const chosen = Math.min(app.state.n || 0, analysis.candidates.length - 1);
  const side = app.trace.sides[analysis.side];
  const find = (kind, layer, head) => analysis.parts.findIndex((part) => part.kind === kind && (part.layer ?? null) === layer && (part.head ?? null) === head);
  const value = (k) => app.trace.at(analysis.contributions, [chosen, k]);
  const most = Math.max(...analysis.parts.map((_, k) => Math.abs(value(k) ?? 0)));
  const cell = (k) => (k < 0 ? "" : h("span", { class: "tint", css: tinted(value(k), most) }, num(analysis.contributions, [chosen, k])));
  const lone = analysis.parts.map((part, k) => [part, k]).filter(([part]) => part.layer === null || part.layer === undefined);
  const kinds = [...new Set(analysis.parts.filter((part) => part.layer !== null && part.layer !== undefined && !Number.isInteger(part.head)).map((part) => part.kind))];
  const sorts = ["head", "cross_head"].filter((kind) => find(kind, 0, 0) >= 0);
  const heads = Array.from({ length: side.heads }, (_, i) => i);
  const before = analysis.ablation && app.trace.at(analysis.ablation.p, [chosen]);
  const gone = analysis.ablation ? [["head", analysis.ablation.without_head], ["cross_head", analysis.ablation.without_cross_head]].filter(([, name]) => app.trace.has(name)) : [];
  const without = (name, index) => { const p = app.trace.at(name, index); return p === undefined ? "·" : h("span", { class: "tint", css: tinted(p - before, Math.max(before, 0.05)) }, num(name, index)); };
  const headNames = (kind) => heads.map((i) => `${app.w(`part_${kind}`)} ${i + 1}`);
  const token = analysis.candidates[chosen];
  return [h("h3", null, app.w("who_pushed")), p(app.w("direct_note")),
    h("div", { class: "choices", role: "group", "aria-label": app.w("candidate") }, analysis.candidates.map((one, n) => button(word(one), () => app.set({ n }), { "aria-pressed": String(n === chosen), "data-key": `n${n}` }))),
    table({ title: app.w("pushed_table", visible(token.token)), count: side.layers, head: [app.w("layer"), ...sorts.flatMap(headNames), ...kinds.map((kind) => app.w(`part_${kind}`))],
      row: (layer) => [{ th: String(layer + 1) }, ...sorts.flatMap((kind) => heads.map((i) => cell(find(kind, layer, i)))), ...kinds.map((kind) => cell(find(kind, layer, null)))] }),
    table({ title: app.w("other_parts"), count: lone.length + 1, head: [app.w("part"), app.w("contribution")],
      row: (i) => (i < lone.length ? [{ th: app.w(lone[i][0].name ? `c_${lone[i][0].name}` : `part_${lone[i][0].kind}`) }, cell(lone[i][1])] : [{ th: h("b", null, app.w("sum_logit")) }, num(analysis.logits, [chosen])]) }),
    gone.length ? [h("p", { class: "facts rove" }, app.w("p_now"), " ", num(analysis.ablation.p, [chosen])),
      table({ title: app.w("without_table", visible(token.token)), count: side.layers, head: [app.w("layer"), ...gone.flatMap(([kind]) => headNames(kind)), ...(app.trace.has(analysis.ablation.without_ffn) ? [app.w("part_ffn")] : [])],
        row: (layer) => [{ th: String(layer + 1) }, ...gone.flatMap(([, name]) => heads.map((i) => without(name, [layer, i, chosen]))), ...(app.trace.has(analysis.ablation.without_ffn) ? [without(analysis.ablation.without_ffn, [layer, chosen])] : [])] }), p(app.w("not_explanation"))] : null];
}

export function lens(analysis) {
  if (!analysis?.lens?.length) return null;
  const most = Math.max(...analysis.lens.map((one) => one.top.length));
  return [h("h3", null, app.w("lens")), p(app.w("lens_note")), table({ title: app.w("lens"), quiet: true, count: analysis.lens.length, head: [app.w("layer"), ...Array.from({ length: most }, (_, i) => `#${i + 1}`)],
    row: (i) => [{ th: String(analysis.lens[i].layer < 0 ? app.w("input_short") : analysis.lens[i].layer + 1) }, ...analysis.lens[i].top.map((one) => h("span", { class: "guess" }, word(one), " ", calc(one.p, () => ({ title: app.w("lens"), text: app.w("told_lens") }), percent(one.p, app.state.lang))))] })];
}

export const mlm = {
  id: "mlm", title: "s_mlm", deps: ["m", "n", "d", "k"],
  when: () => app.trace.has("mlm.logits"),
  build() {
    const { answers, analysis } = app.trace.index;
    const tensor = app.trace.get("mlm.logits");
    const places = tensor.indices(0).slice(0, 200);
    const place = places.includes(app.state.m) ? app.state.m : answers.masks?.[0]?.place ?? places[0];
    const side = app.trace.sides.enc;
    const name = tokenName(side, place);
    const list = topOf("mlm", place, answers.masks);
    const asked = answers.masks?.find((one) => one.place === place);
    const truth = asked?.truth;
    return [p(app.w("mlm_lead")),
      h("div", { class: "choices", role: "group", "aria-label": app.w("which_place") }, places.map((i) => button([String(i), " ", word(side.tokens[i])], () => app.set({ m: i }), { "aria-pressed": String(i === place), "data-key": `m${i}` }))),
      dimTools(app.config.d_model), headLines("mlm", place, name, "enc.hidden"), formula("logits = h · Eᵀ + b,   p = softmax(logits)"),
      list ? [h("p", { class: "answer" }, app.w("answer_is"), " ", word(list[0]), " ", num("mlm.p", [place, list[0].id], percent(list[0].p, app.state.lang))), topTable("mlm", place, list, app.w("top_table", list.length, name))] : p(app.w("row_missing")),
      truth ? p(app.w("truth_line", visible(truth.token ?? truth), digits(-Math.log(truth.p)))) : null,
      !analysis || analysis.side !== "enc" || analysis.place === place ? byPart(analysis) : null, analysis?.place === place ? lens(analysis) : null,
      aside(app.w("gap"), app.w("gap_softmax")), aside(app.w("gap"), app.w("gap_mlm_head")), draw()];
  },
};

/** The trainer's rule, drawn anew at each press: 15 % of the tokens, of them 80/10/10. */
function draw() {
  const side = app.trace.sides.enc;
  const out = h("p", { class: "plan", "aria-live": "polite" });
  const go = () => {
    const can = side.tokens.map((token, i) => [token, i]).filter(([token]) => !token.special);
    const size = Math.max(1, Math.round(can.length * 0.15));
    const chosen = new Set([...can].sort(() => Math.random() - 0.5).slice(0, size).map(([, i]) => i));
    out.replaceChildren(...side.tokens.map((token, i) => {
      if (!chosen.has(i)) return h("span", null, word(token), " ");
      const luck = Math.random();
      const kind = luck < 0.8 ? "mask" : luck < 0.9 ? "random" : "same";
      return h("span", null, h("mark", { class: kind }, kind === "mask" ? "[MASK]" : word(token)), h("small", null, app.w(`plan_${kind}`)), " ");
    }));
  };
  return h("div", { class: "card" }, h("h3", null, app.w("draw_mask")), p(app.w("draw_note")), button(app.w("draw_again"), go), out);
}

export const nsp = {
  id: "nsp", title: "s_nsp", deps: ["d", "k"],
  when: () => app.trace.has("nsp.logits"),
  build() {
    const said = app.trace.index.answers.nsp;
    const side = app.trace.sides.enc;
    const yes = said ? said.is_next : app.trace.at("nsp.p", [0]) > 0.5;
    const first = app.trace.made.get("nsp.pooler")?.in[0];
    const lines = [[app.w("h_of", tokenName(side, 0)), first], [app.w("pooler"), "nsp.pooler"], ["tanh", "nsp.pooled"]].filter(([, name]) => name && app.trace.has(name));
    const names = [app.w("true"), app.w("false")];
    const sentence = (n) => h("p", { class: `sentence s${n}` }, h("b", null, "AB"[n]), " ", side.tokens.filter((token) => token.segment === n && !token.special).map((token) => [word(token), " "]));
    const both = side.tokens.some((token) => token.segment === 1);
    return [p(app.w("nsp_lead")), both ? [sentence(0), sentence(1)] : p(app.w("nsp_one")), h("p", { class: `verdict ${yes ? "yes" : "no"}` }, app.w("verdict"), " ", h("b", null, names[yes ? 0 : 1])), dimTools(app.config.d_model),
      h("div", { class: "lines rove" }, lines.map(([label, name]) => h("div", { class: "line" }, h("span", { class: "what" }, label), vec(name, [])))),
      table({ title: app.w("nsp_table"), count: 2, head: [app.w("class"), "logit", app.w("probability"), ""], row: (i) => [{ th: `${i} – ${names[i]}` }, num("nsp.logits", [i]), num("nsp.p", [i]), meter(app.trace.at("nsp.p", [i]))] })];
  },
};

const live = { temperature: 1, topK: 0, topP: 1 };

export const next = {
  id: "next", title: "s_next", deps: ["m", "n", "d", "k"],
  when: () => app.trace.has("next.logits"),
  build() {
    const { answers, analysis } = app.trace.index;
    const tensor = app.trace.get("next.logits");
    const side = app.trace.sides.dec;
    const places = tensor.indices(0).slice(0, 200);
    const place = places.includes(app.state.m) ? app.state.m : places.includes(answers.next?.place) ? answers.next.place : places.at(-1);
    const list = topOf("next", place, answers.next ? [answers.next] : []);
    const greedy = answers.next?.greedy;
    return [p(app.w("next_lead")),
      h("div", { class: "choices", role: "group", "aria-label": app.w("which_place") }, places.map((i) => button([String(i), " ", word(side.tokens[i])], () => app.set({ m: i }), { "aria-pressed": String(i === place), "data-key": `m${i}` }))),
      dimTools(app.config.d_model), headLines("next", place, tokenName(side, place), "dec.hidden"), list ? topTable("next", place, list, app.w("next_table", tokenName(side, place))) : p(app.w("row_missing")),
      sampler(place), greedy?.length ? [h("h3", null, app.w("greedy")), h("p", { class: "plan" }, h("span", { class: "soft" }, "… "), greedy.map((one) => h("mark", { class: "same" }, word(one))))] : null,
      analysis?.side === "dec" && analysis.place === place ? [byPart(analysis), lens(analysis)] : null, triangle(side), memory(side), aside(app.w("gap"), app.w("gap_decoder"))];
  },
};

/** Temperature, top-k and top-p, with the probabilities made anew at each turn of a knob. */
function sampler(place) {
  const row = app.trace.row("next.logits", [place]);
  if (!row) return p(app.w("logits_partly"));
  const hole = h("div", { "aria-live": "off" });
  const drawn = h("output", { class: "reading" });
  let made = null;
  const fill = () => {
    made = reweigh(row, live);
    const shown = made.kept.slice(0, 12);
    const raised = (id) => Math.exp((row[id] - made.top) / live.temperature);
    hole.replaceChildren(p(app.w("kept_line", count(made.kept.length, app.state.lang), count(row.length, app.state.lang))), table({
      title: app.w("live_table"), count: shown.length, head: [app.w("token"), "logit", "x / T", "e^((x−max)/T)", app.w("probability"), ""],
      row: (i) => {
        const id = shown[i];
        const heat = { name: "next.logits", index: [place, id] };
        return [{ th: word(tokenOf(id)) }, num("next.logits", [place, id]), calc(row[id] / live.temperature, () => ({ title: "x / T", formula: "x / T", pairs: [["x", heat], ["T", live.temperature]] })),
          calc(raised(id), () => ({ title: "e^((x − max)/T)", formula: "e^((x − max)/T)", pairs: [["x", heat], ["max", made.top], ["T", live.temperature]] })),
          calc(made.p[id], () => ({ title: app.w("probability"), formula: "p = e^((x − max)/T) / Σ", pairs: [["e^((x−max)/T)", raised(id)], ["Σ", made.sum], [app.w("kept_word"), made.kept.length]] })), meter(made.p[id] / made.p[shown[0]])];
      },
    }));
  };
  const slider = (key, label, min, max, step) => {
    const say = () => (key === "topK" && !live[key] ? app.w("all") : String(live[key]));
    const value = h("output", null, say());
    const input = h("input", { type: "range", min, max, step, value: live[key], "data-key": key, oninput: (event) => { live[key] = Number(event.target.value); value.textContent = say(); fill(); } });
    return h("label", { class: "slider" }, h("span", null, label), input, value);
  };
  const cast = () => {
    let left = Math.random();
    const id = made.kept.find((one) => (left -= made.p[one]) <= 0) ?? made.kept[0];
    drawn.replaceChildren(app.w("drawn"), " ", word(tokenOf(id)), ` (${percent(made.p[id], app.state.lang)})`);
  };
  fill();
  return h("div", { class: "card" }, h("h3", null, app.w("sampler")), p(app.w("sampler_note")), h("div", { class: "sliders" }, slider("temperature", app.w("temperature"), 0.05, 2, 0.05), slider("topK", "top-k", 0, 50, 1), slider("topP", "top-p", 0.05, 1, 0.05)), hole, h("div", { class: "tools" }, button(app.w("draw_token"), cast)), drawn);
}

function triangle(side) {
  const name = Object.keys(app.trace.index.tensors).find((one) => one.startsWith("dec.visible"));
  const seen = name && app.trace.get(name);
  if (!seen?.whole) return null;
  const [rows, columns] = seen.shape;
  return [h("h3", null, app.w("triangle")), heat({ title: app.w("triangle"), top: 1, caption: app.w("triangle_caption"), rows, columns, values: Float32Array.from(seen.data, (x) => x * 0.5), rowName: (r) => tokenName(side, r), columnName: (c) => tokenName(side, c), rowHead: app.w("from"), columnHead: app.w("to"), marked: -1, ref: (r, c) => ({ name, index: [r, c] }), hidden: (r, c) => !seen.at([r, c]) })];
}

function memory(side) {
  const n = side.tokens.length;
  const numbers = 2 * side.layers * side.kv_heads * side.d_head * n;
  return [h("h3", null, app.w("kv_cache")), p(app.w("kv_note")), h("p", { class: "facts rove" }, `2 · ${side.layers} · ${side.kv_heads} · ${side.d_head} · ${n} = `, calc(numbers, () => ({ title: app.w("kv_cache"), formula: "2 · L · h_kv · d_k · n", pairs: [["L", side.layers], ["h_kv", side.kv_heads], ["d_k", side.d_head], ["n", n]] }), count(numbers, app.state.lang)), ` ${app.w("numbers")}`)];
}

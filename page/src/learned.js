// §11 how the model learned, and one training step with every number of it.
import { app } from "./app.js";
import { h, p, num, word, calc, button, field, aside, visible, settle } from "./dom.js";
import { table } from "./table.js";
import { pixels, strongest } from "./picture.js";
import { meter } from "./inputs.js";
import { digits, percent, count } from "./number.js";

const told = (value, title, text) => calc(value, () => ({ title, text: app.w(text) }));
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Loss over steps; steps by their logarithm. */
function lossChart({ loss }, marker) {
  if (!loss?.step?.length && !loss?.held_out_step?.length) return null;
  const [width, height, left, base] = [720, 240, 46, 206];
  const points = (steps, values) => (steps || []).map((step, i) => [step, values[i]]).filter(([, value]) => Number.isFinite(value));
  const train = points(loss.step, loss.train);
  const held = points(loss.held_out_step, loss.held_out);
  const all = [...train, ...held];
  const most = Math.max(...all.map(([step]) => step), 1);
  const high = Math.max(...all.map(([, value]) => value));
  const low = Math.min(...all.map(([, value]) => value));
  const x = (step) => left + (Math.log1p(step) / Math.log1p(most)) * (width - left - 16);
  const y = (value) => 14 + ((high - value) / (high - low || 1)) * (base - 14);
  const path = (list) => list.map(([step, value], i) => `${i ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const ticks = [];
  for (let step = 1; step <= most; step *= 10) ticks.push(step);
  return h("figure", null, h("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": app.w("loss_curve") },
    [low, (low + high) / 2, high].map((value) => [h("line", { class: "grid", x1: left, x2: width - 16, y1: y(value), y2: y(value) }), h("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(2))]),
    [0, ...ticks].map((step) => h("text", { x: x(step), y: height - 14, "text-anchor": "middle" }, String(step))),
    h("path", { class: "train", d: path(train) }), h("path", { class: "held", d: path(held) }), held.map(([step, value]) => h("circle", { class: "held", cx: x(step), cy: y(value), r: 3 })),
    h("line", { class: "now", x1: x(marker), x2: x(marker), y1: 8, y2: base })),
    h("figcaption", null, h("i", { class: "key train" }), app.w("loss_train"), " ", h("i", { class: "key held" }), app.w("loss_held"), " ", app.w("loss_axis")),
    table({ title: app.w("loss_curve"), count: held.length, head: [app.w("step"), app.w("loss_held"), "e^loss"], row: (i) => [{ th: count(held[i][0], app.state.lang) }, told(held[i][1], app.w("loss_held"), "told_loss"), calc(Math.exp(held[i][1]), () => ({ title: "e^loss", formula: "e^loss", pairs: [["loss", held[i][1]]] }))] }));
}

/** The probe's way through a plane that stays the same for all snapshots. */
function plane({ steps, probes }, at, chosen) {
  const path = app.trace.get(probes.plane);
  if (!path) return null;
  const cloud = probes.all && app.trace.get(probes.all);
  const span = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < path.data.length; i += 2) {
    span[0] = Math.min(span[0], path.data[i]); span[1] = Math.max(span[1], path.data[i]);
    span[2] = Math.min(span[2], path.data[i + 1]); span[3] = Math.max(span[3], path.data[i + 1]);
  }
  const [width, height] = [720, 420];
  const x = (value) => 20 + ((value - span[0]) / (span[1] - span[0] || 1)) * (width - 40);
  const y = (value) => height - 20 - ((value - span[2]) / (span[3] - span[2] || 1)) * (height - 40);
  const spot = (snapshot, probe) => [x(path.at([snapshot, probe, 0])), y(path.at([snapshot, probe, 1]))];
  const points = steps.map((_, n) => spot(n, chosen));
  const svg = h("svg", { class: "plane", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": app.w("plane_label", visible(probes.tokens[chosen].token)) });
  if (cloud && cloud.dtype === "f32") for (let i = 0; i < cloud.shape[1]; i += Math.ceil(cloud.shape[1] / 1500)) svg.append(h("circle", { class: "faint", cx: x(cloud.at([at, i, 0])).toFixed(1), cy: y(cloud.at([at, i, 1])).toFixed(1), r: 1.2 }));
  const beside = (cx, most) => (cx > width - 12 * most ? { x: cx - 8, "text-anchor": "end" } : { x: cx + 8 });
  probes.tokens.forEach((token, probe) => {
    const [cx, cy] = spot(at, probe);
    svg.append(h("circle", { class: probe === chosen ? "chosen" : "other", cx, cy, r: probe === chosen ? 5 : probe < 24 ? 2.5 : 1.5 }));
    if (probe !== chosen && probe < 24) svg.append(h("text", { ...beside(cx, 8), y: cy + 4 }, visible(token.token, 14)));
  });
  svg.append(h("path", { class: "way", d: points.map(([a, b], i) => `${i ? "L" : "M"}${a.toFixed(1)} ${b.toFixed(1)}`).join("") }));
  points.forEach(([cx, cy], n) => {
    svg.append(h("circle", { class: "stop" + (n === at ? " on" : ""), cx, cy, r: n === at ? 4.5 : 2.5 }));
    if (n === 0 || n === at || n === points.length - 1) svg.append(h("text", { class: "on", ...beside(cx, 4), y: cy - 7 }, String(steps[n])));
  });
  svg.append(h("text", { class: "on big", ...beside(points[at][0], 9), y: points[at][1] + 17 }, visible(probes.tokens[chosen].token, 20)));
  return h("figure", null, svg, h("figcaption", null, app.w("plane_caption", percent(probes.explained[0], app.state.lang), percent(probes.explained[1], app.state.lang))));
}

const view = { at: null, probe: 0 };

export const learned = {
  id: "learned", title: "s_learned", deps: [],
  when: () => !!app.trace.index.history,
  build(root) {
    const history = app.trace.index.history;
    const { steps, probes, sentences } = history;
    const last = steps.length - 1;
    view.at = view.at === null ? last : Math.min(view.at, last);
    const hole = h("div");
    let timer = null;
    const knob = h("input", { type: "range", min: 0, max: last, step: 1, value: view.at, "data-key": "snapshot", oninput: (event) => { view.at = Number(event.target.value); fill(); } });
    const shown = h("output");
    const play = button(app.w("play"), () => {
      if (timer) { clearInterval(timer); timer = null; play.textContent = app.w("play"); return; }
      if (view.at === last) view.at = -1;
      play.textContent = app.w("stop");
      timer = setInterval(() => {
        view.at = Math.min(view.at + 1, last);
        knob.value = view.at;
        fill();
        if (view.at === last || !root.isConnected) { clearInterval(timer); timer = null; play.textContent = app.w("play"); }
      }, 700);
    });
    const choice = probes?.tokens?.length ? h("select", { "data-key": "probe", onchange: (event) => { view.probe = Number(event.target.value); fill(); } }, probes.tokens.map((token, i) => h("option", { value: i, selected: i === view.probe }, visible(token.token)))) : null;
    const fill = () => {
      shown.textContent = app.w("at_step", count(steps[view.at], app.state.lang));
      hole.replaceChildren(...[lossChart(history, steps[view.at]), probes?.tokens?.length ? [plane(history, view.at, view.probe), neighbours(history)] : null, ...(sentences || []).map((one) => sentence(one, steps))].flat(3).filter(Boolean));
      settle(hole);
    };
    fill();
    return [p(app.w("learned_lead", steps.length)), h("div", { class: "sliders sticky" }, h("label", { class: "slider" }, h("span", null, app.w("snapshot")), knob, shown), still() ? null : play, choice && field(app.w("token"), choice)), hole, aside(app.w("gap"), app.w("gap_meaning"))];
  },
};

function neighbours({ steps, probes }) {
  const list = probes.neighbours?.[view.probe];
  if (!list) return null;
  const name = visible(probes.tokens[view.probe].token);
  return table({ title: app.w("neighbours_table", name), count: steps.length, mark: (i) => i === view.at, head: [app.w("step"), ...list[0].map((_, i) => `#${i + 1}`)],
    row: (i) => [{ th: count(steps[i], app.state.lang) }, ...list[i].map((one) => h("span", { class: "guess" }, word(one), " ", told(one.cosine, "cos", "told_cosine")))] });
}

function sentence(one, steps) {
  const has = one.answers?.some((answer) => answer.top);
  const answer = (each) => (each.top ? each.top.map((guess) => h("span", { class: "guess" }, word(guess), " ", told(guess.p, app.w("probability"), "told_snapshot"))) : [h("bdi", null, visible(each.text, 200))]);
  return [h("h3", null, h("bdi", null, visible(one.text, 200)), one.answer ? h("span", { class: "soft" }, ` — ${visible(one.answer)}`) : null), thumbs(one),
    table({ title: app.w("answers_table", visible(one.text, 60)), count: steps.length, mark: (i) => i === view.at, head: [app.w("step"), ...(has ? ["#1", "#2", "#3"] : [app.w("answer")])], row: (i) => [{ th: count(steps[i], app.state.lang) }, ...answer(one.answers[i])] })];
}

/** Attention of every layer and head at the chosen snapshot. */
function thumbs(one) {
  const entry = one.attention && app.trace.thumbs.get(one.attention);
  if (!entry) return null;
  const [, layers, heads, n] = entry.shape;
  const rows = Array.from({ length: layers }, (_, l) => h("div", { class: "line" }, h("span", { class: "what" }, `${app.w("layer")} ${l + 1}`), Array.from({ length: heads }, (_, head) => {
    const matrix = app.trace.picture(entry, (view.at * layers + l) * heads + head);
    return h("span", { class: "thumb small" }, pixels(matrix.values, n, n, false, strongest(matrix.values, n)));
  })));
  return h("figure", null, h("div", { class: "thumbs", role: "img", "aria-label": app.w("thumbs_at") }, rows), h("figcaption", null, app.w("thumbs_at")));
}

export const training = {
  id: "training", title: "s_training", deps: ["d", "k"],
  when: () => !!app.trace.index.step,
  build() {
    const step = app.trace.index.step;
    const { plan, counts, gradients, after, clip } = step;
    const kinds = ["mask", "random", "same"].filter((kind) => counts[kind] !== undefined && counts[kind] !== null);
    const share = (kind) => h("tr", null, h("th", { scope: "row" }, app.w(`plan_${kind}`)), h("td", null, String(counts[kind])), h("td", null, percent(counts[kind] / counts.chosen, app.state.lang)));
    const most = Math.max(...(gradients || []).map((one) => one.norm), 1e-12);
    const marked = new Map(plan.map((one) => [one.place, one]));
    const row = step.row && h("p", { class: "plan", dir: "auto" }, step.row.map((one) => { const asked = marked.get(one.place); return h("span", null, asked ? h("mark", { class: asked.kind || "same" }, word(one)) : word(one), asked?.kind ? h("small", null, app.w(`plan_${asked.kind}`)) : "", " "); }));
    const column = (place) => (step.p && app.trace.get(step.p)?.last ? [place, plan[place].label] : [place]);
    return [p(app.w("training_lead")), row, counts.chosen ? p(app.w("plan_line", counts.chosen, counts.tokens, percent(counts.chosen / counts.tokens, app.state.lang))) : null,
      kinds.length ? h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": app.w("plan_table") }, h("table", null, h("caption", null, app.w("plan_table")), h("tbody", null, kinds.map(share)))) : null,
      table({ title: app.w("labels_table"), count: plan.length, head: [app.w("position"), app.w("shown"), app.w("label"), app.w("kind"), "p", "−ln p"],
        row: (i) => [String(plan[i].place), { th: word(plan[i]) }, word({ token: plan[i].label_token }), plan[i].kind ? app.w(`plan_${plan[i].kind}`) : "–", num(step.p, column(i)), num(step.nll, [i])] }),
      h("p", { class: "facts rove" }, app.w("loss_is"), " ", num(step.loss, [0]), step.parts?.length > 1 ? [" · ", step.parts.map((part, n) => [n ? " + " : "", `${part.weight} · `, told(part.loss, part.name, "told_step"), ` (${app.both(part.name)})`])] : ""),
      gradients?.length ? [h("h3", null, app.w("gradients")), p(app.w("gradients_note")), clip ? h("p", { class: "facts rove" }, app.w("clip_line"), " ", told(clip.norm, app.w("clip_line"), "told_step"), clip.limit != null ? [` · ${app.w("limit")} ${clip.limit} · ${app.w("factor")} `, told(clip.factor, app.w("factor"), "told_step")] : "", ` · ${app.both(step.optimiser)}, ${app.w("rate")} ${digits(step.rate)}`) : null,
        table({ title: app.w("gradients"), count: gradients.length, head: [app.w("matrix_name"), app.w("size"), "‖∇‖", "", "‖Δw‖", "‖w‖", "‖Δw‖ / ‖w‖"],
          row: (i) => [{ th: h("code", null, gradients[i].name) }, count(gradients[i].size, app.state.lang), told(gradients[i].norm, "‖∇‖", "told_step"), meter(gradients[i].norm / most), told(gradients[i].grew, "‖Δw‖", "told_step"), told(gradients[i].weight_norm, "‖w‖", "told_step"), told(gradients[i].relative, "‖Δw‖/‖w‖", "told_step")] })] : null,
      after?.length ? table({ title: app.w("after_table"), count: after.length, head: [app.w("position"), app.w("token"), app.w("p_before"), app.w("p_after"), ""],
        row: (i) => [String(after[i].place), { th: word(after[i]) }, told(after[i].p_before, app.w("p_before"), "told_step"), told(after[i].p_after, app.w("p_after"), "told_step"), after[i].p_after > after[i].p_before ? "↑" : "↓"] }) : null];
  },
};

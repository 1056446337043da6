// The panel that shows how a number came to be: its formula, its operands, and the sum done again.
import { app } from "./app.js";
import { h, num, notes, button, settle, tokenName } from "./dom.js";
import { recompute } from "./ops.js";
import { agrees } from "./verify.js";
import { digits, precise } from "./number.js";

export const FORMULAS = {
  lookup: "y = E[id, c]", add: "y = Σ x", scale: "y = x · factor", layernorm: "y = (x − μ)/√(σ² + ε) · γ + β",
  rmsnorm: "y = x/√(mean(x²) + ε) · w", rmsnorm1: "y = x/√(mean(x²) + ε) · (1 + w)", linear: "y = Σₖ xₖ · Wₖ + b", linear0: "y = Σₖ xₖ · Wₖ",
  rotate: "y = x·cos(θ) + x′·sin(θ)", dot: "q · k = Σ_c q_c · k_c", softcap: "y = cap · tanh(x/cap)", mask: "y = visible ? x : −∞",
  softmax: "yⱼ = e^(xⱼ − max) / Σₖ e^(xₖ − max)", mix: "y = Σⱼ αⱼ · vⱼ", concat: "y = x", multiply: "y = a · b", pick: "y = x", relu: "y = max(x, 0)",
  gelu: "y = x/2 · (1 + erf(x/√2))", gelu_tanh: "y = x/2 · (1 + tanh(√(2/π)(x + 0.044715x³)))", silu: "y = x/(1 + e^(−x))", tanh: "y = tanh(x)",
  total: "y = Σ x", nll: "y = −ln p", mean: "y = Σ x / n",
};

let panel = null;
let trail = [];
let origin = null;

const label = (name, index) => `${name}[${index.join(", ")}]`;
const refNode = ({ name, index }) => h("span", { class: "ref" }, num(name, index), h("code", null, label(name, index)));

/** Which token, head and dimension the indices of a tensor speak of. */
function where(name, index) {
  const tensor = app.trace.get(name);
  const side = app.trace.sides[name.slice(0, 3)] || (Object.keys(app.trace.sides).length === 1 ? Object.values(app.trace.sides)[0] : app.trace.sides.dec);
  return index.map((i, axis) => {
    const kind = tensor.axes[axis];
    const keys = kind === "key" && name.includes(".cross.") ? app.trace.sides.enc : side;
    const known = ["seq", "query", "key"].includes(kind) && side && !name.startsWith("w.");
    return known ? `${app.w(kind === "key" ? "axis_key" : "axis_token")} ${i} «${tokenName(keys, i)}»` : kind === "head" || kind === "kv_head" ? `${app.w("head")} ${i + 1}` : kind === "vocab" ? `ID ${i}` : `${app.w("dim")} ${i}`;
  }).join(" · ");
}

/** Rows of a sum, the largest part first when asked. */
function sumTable(rows, token) {
  const most = 64;
  let sorted = false;
  let all = rows.length <= most;
  const value = (row) => row.factors.reduce((made, one) => made * one.value, 1);
  const body = h("tbody");
  const fill = () => {
    const list = sorted ? [...rows].sort((a, b) => Math.abs(value(b)) - Math.abs(value(a))) : rows;
    body.replaceChildren(...(all ? list : list.slice(0, most)).map((row) => h("tr", null,
      h("th", { scope: "row" }, token && Number.isInteger(row.label) ? h("bdi", null, tokenName(token, row.label)) : visibleLabel(row.label)),
      h("td", null, row.factors.map((one, n) => [n ? " · " : "", num(one.name, one.index)])),
      h("td", { class: "part" }, row.factors.length > 1 ? digits(value(row)) : ""))));
    settle(body.closest(".equation") || body);
  };
  fill();
  const more = all ? null : button(app.w("show_all", rows.length), (event) => { all = true; event.target.remove(); fill(); });
  const sort = rows.length > 2 && button(app.w("largest_first"), (event) => { sorted = !sorted; event.target.setAttribute("aria-pressed", String(sorted)); fill(); }, { "aria-pressed": "false" });
  return h("div", null, h("div", { class: "tools" }, sort, more), h("div", { class: "scroll terms", tabindex: 0 }, h("table", { class: "rove" }, body)));
}
const visibleLabel = (text) => (typeof text === "number" ? String(text) : h("code", null, text));

const named = (pairs) => h("dl", { class: "named" }, pairs.map(([name, value]) => [h("dt", null, name), h("dd", null, value?.name ? refNode(value) : value instanceof Node ? value : typeof value === "number" ? precise(value) : value)]));

function operandRow({ name, lead, width, raised }) {
  const rows = Array.from({ length: width }, (_, k) => ({ label: k, factors: [{ name, index: [...lead, k], value: app.trace.at(name, [...lead, k]) }] }));
  if (!raised) return sumTable(rows);
  const side = app.trace.get(name).axes.at(-1) === "key" ? app.trace.sides[name.includes(".cross.") ? "enc" : name.slice(0, 3)] : null;
  const shown = rows.slice(0, 256);
  return h("div", { class: "scroll terms", tabindex: 0 }, h("table", { class: "rove" }, h("tbody", null, shown.map(({ label: k, factors: [one] }) => h("tr", null,
    h("th", { scope: "row" }, side ? h("bdi", null, tokenName(side, k)) : k), h("td", null, num(one.name, one.index)), h("td", { class: "part" }, `e^: ${digits(raised(one.value))}`))))));
}

function ofTensor(name, index) {
  const stored = app.trace.at(name, index);
  const { step, value, terms } = recompute(app.trace, name, index);
  const parts = [h("h2", null, h("code", null, label(name, index))), h("p", { class: "soft" }, where(name, index)),
    h("p", { class: "stored" }, h("span", null, app.w("stored")), h("b", null, precise(stored)))];
  if (!step) {
    parts.push(h("p", null, app.w(name.startsWith("w.") ? "is_parameter" : "is_given")));
    return parts;
  }
  const key = terms?.kind || step.op;
  parts.push(h("p", null, app.w(`op_${step.op}`) === `op_${step.op}` ? step.op : app.w(`op_${step.op}`)), h("p", { class: "formula" }, h("code", null, FORMULAS[key] || step.op)));
  if (!terms) {
    parts.push(h("p", { class: "gap" }, app.w("checked_when_written")));
    return parts;
  }
  if (terms.named) parts.push(named(terms.named));
  if (terms.rows?.length < 5) parts.push(h("p", { class: "formula" }, h("code", null, `${terms.rows.map((row) => row.factors.map((one) => digits(one.value)).join(" · ")).join(" + ").replaceAll("+ -", "− ")} = ${digits(value)}`)));
  if (terms.rows) parts.push(sumTable(terms.rows, terms.rows[0]?.token ? app.trace.sides[name.includes(".cross.") ? "enc" : name.slice(0, 3)] : null));
  if (terms.operands) parts.push(h("details", null, h("summary", null, app.w("whole_row", terms.operands.width)), operandRow(terms.operands)));
  const fine = agrees(value, stored);
  parts.push(h("p", { class: "stored again " + (fine ? "fine" : "wrong") }, h("span", null, app.w("again")), h("b", null, precise(value)), h("em", null, fine ? `✓ ${app.w("agrees")}` : `✗ ${app.w("differs", precise(value - stored))}`)));
  return parts;
}

function ofNote({ value, spec }) {
  const { title, text, formula, pairs, rows, token } = spec();
  return [h("h2", null, title), text && h("p", null, text), formula && h("p", { class: "formula" }, h("code", null, formula)), pairs && named(pairs), rows && sumTable(rows, token),
    h("p", { class: "stored" }, h("span", null, "="), h("b", null, precise(value)))];
}

function draw() {
  const target = trail.at(-1);
  const content = target.e ? ofNote(notes.get(target.e)) : ofTensor(target.n, target.i);
  const back = trail.length > 1 && button("←", () => { trail.pop(); draw(); panel.querySelector(".do")?.focus(); }, { "aria-label": app.w("back"), class: "do icon" });
  const close = button("×", hide, { "aria-label": app.w("close"), class: "do icon close" });
  panel.replaceChildren(h("div", { class: "bar2" }, h("strong", null, app.w("equation")), back, close), ...content.filter(Boolean));
  panel.hidden = false;
  document.documentElement.classList.add("open-equation");
  settle(panel);
  panel.scrollTop = 0;
}

export function hide() {
  if (!panel || panel.hidden) return;
  panel.hidden = true;
  document.documentElement.classList.remove("open-equation");
  const again = origin && (origin.isConnected ? origin : origin.dataset.n && document.querySelector(`.n[data-n="${CSS.escape(origin.dataset.n)}"][data-i="${origin.dataset.i}"]`));
  again?.focus?.();
  trail = [];
}

/** Opens the equation of a number; from inside the panel it goes one step further back. */
export function show(element) {
  if (element.classList.contains("none")) return;
  const inside = panel.contains(element);
  if (!inside) { trail = []; origin = element; }
  trail.push(element.dataset.e ? { e: element.dataset.e } : { n: element.dataset.n, i: element.dataset.i.split(",").map(Number) });
  draw();
  panel.focus();
}

export function equationPanel() {
  panel = h("aside", { class: "equation", tabindex: -1, hidden: true, role: "complementary", "aria-label": app.w("equation") });
  document.addEventListener("click", (event) => { const number = event.target.closest?.(".n"); if (number) show(number); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  return panel;
}
export const closeForGood = () => { if (panel) { panel.hidden = true; document.documentElement.classList.remove("open-equation"); } };

// Elements in one call; numbers as buttons that open their equation; tables of them are walked with arrows.
import { app } from "./app.js";
import { digits, precise } from "./number.js";

const SVG = new Set(["svg", "g", "rect", "path", "circle", "text", "line", "a:svg", "title:svg"]);

export function h(tag, props, ...children) {
  const el = SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag.split(":")[0]) : document.createElement(tag);
  for (const [key, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) el.addEventListener(key.slice(2), value);
    else if (key === "css") for (const [name, text] of Object.entries(value)) el.style.setProperty(name, text);
    else el.setAttribute(key, value === true ? "" : value);
  }
  el.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return el;
}

/** Characters that a screen can't show, as signs that it can; a very long text cut. */
export function visible(text, most = 48) {
  const signs = Array.from(String(text));
  const plain = signs.slice(0, most).map((c) => {
    const code = c.codePointAt(0);
    if (code < 32) return String.fromCodePoint(0x2400 + code);
    return code === 127 ? "␡" : /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/.test(c) ? `⟨${code.toString(16).toUpperCase()}⟩` : c;
  }).join("");
  return signs.length > most ? `${plain}… (${signs.length})` : plain;
}

/** The beginning of a text for a narrow place. */
export const short = (text, most) => { const signs = Array.from(text); return signs.length > most ? signs.slice(0, most - 1).join("") + "…" : text; };

export const tokenText = (token) => { const text = token.text ?? token.token ?? token.piece ?? ""; return text.trim() === "" ? visible(token.piece || text || "␣") : visible(text); };
export const word = (token, extra) => h("bdi", { class: "tok" + (token?.special ? " special" : ""), ...extra }, token ? tokenText(token) : "·");
export const tokenName = (side, i) => (side.tokens[i] ? tokenText(side.tokens[i]) : String(i));

/** Numbers that the page computed or was told: their equation is made when it is asked for. */
export const notes = new Map();
let noted = 0;

let blank = null;
/** A button for a number; copying one is three times as fast as making one. */
function numberButton(text) {
  blank ||= h("button", { class: "n", type: "button", tabindex: -1 });
  const made = blank.cloneNode();
  made.textContent = text;
  return made;
}

/** A number of a tensor. */
export function num(name, index, text) {
  const value = app.trace.at(name, index);
  if (value === undefined) return h("span", { class: "n none", title: app.w("not_in_file") }, "·");
  const made = numberButton(text ?? (value <= -3e38 ? "−∞" : digits(value)));
  made.setAttribute("data-n", name);
  made.setAttribute("data-i", index.join(","));
  return made;
}

/** A number with an equation of its own: spec() gives {title, formula, named, rows, text}. */
export function calc(value, spec, text) {
  if (value === undefined || value === null || Number.isNaN(value)) return h("span", { class: "n none" }, "·");
  const id = `e${++noted}`;
  notes.set(id, { value, spec });
  const made = numberButton(text ?? digits(value));
  made.setAttribute("data-e", id);
  return made;
}

/** The dimensions shown now, of a vector this long. */
export function dims(width) {
  const size = Math.min(app.state.k || 4, width);
  const from = Math.min(app.state.d || 0, Math.max(width - size, 0));
  return Array.from({ length: size }, (_, i) => from + i);
}

/** A vector as the text writes it: [0.12, -0.87, 0.45, 0.33, …]. */
export function vec(name, lead, columns) {
  const tensor = app.trace.get(name);
  if (!tensor || !tensor.has(lead)) return h("span", { class: "v none", title: app.w("not_in_file") }, "·");
  const list = columns || dims(tensor.width);
  const inside = list.map((c, n) => [n ? ", " : "", num(name, [...lead, c])]);
  return h("span", { class: "v" }, list[0] > 0 ? "[…, " : "[", inside, list.at(-1) < tensor.width - 1 ? ", …]" : "]");
}

export const field = (label, control) => h("label", { class: "field" }, h("span", null, label), control);
export const button = (label, go, props) => h("button", { type: "button", class: "do", onclick: go, ...props }, label);
export const p = (...text) => h("p", null, ...text);
export const aside = (title, ...text) => h("aside", { class: title === app.w("here") ? "gap here" : "gap" }, h("strong", null, title), " ", ...text);
export const formula = (text) => h("p", { class: "formula" }, h("code", null, text));

/** One stop of the Tab key for each table of numbers; the arrows go on from there. */
export function settle(root) {
  for (const group of root.querySelectorAll(".rove")) {
    if (!group.querySelector('.n[tabindex="0"], [data-r][tabindex="0"]')) group.querySelector(".n:not(.none), [data-r]")?.setAttribute("tabindex", "0");
  }
  for (const one of root.querySelectorAll(".n[data-n], .n[data-e]")) if (!one.closest(".rove")) one.setAttribute("tabindex", "0");
}

const stops = (row) => [...row.querySelectorAll(".n[data-n], .n[data-e], [data-r]")];

function moved(from, key, group) {
  const all = stops(group);
  const place = all.indexOf(from);
  if (key === "ArrowRight") return all[place + 1];
  if (key === "ArrowLeft") return all[place - 1];
  const row = from.closest("tr, .line");
  if (!row) return key === "ArrowDown" ? all[place + 1] : key === "ArrowUp" ? all[place - 1] : key === "Home" ? all[0] : all.at(-1);
  const own = stops(row);
  if (key === "Home") return own[0];
  if (key === "End") return own.at(-1);
  const column = own.indexOf(from);
  let next = row;
  do next = key === "ArrowDown" ? next.nextElementSibling : next.previousElementSibling;
  while (next && !stops(next).length);
  return next && (stops(next)[column] || stops(next).at(-1));
}

export function listenForArrows(root) {
  root.addEventListener("keydown", (event) => {
    const group = event.target.closest?.(".rove");
    if (!group || !event.target.matches(".n, [data-r]") || !/^(Arrow|Home|End)/.test(event.key) || event.ctrlKey || event.altKey) return;
    const next = moved(event.target, event.key, group);
    if (!next) { group.dispatchEvent(new CustomEvent("edge", { detail: event.key })); event.preventDefault(); return; }
    event.preventDefault();
    event.target.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
  root.addEventListener("focusin", (event) => {
    const group = event.target.closest?.(".rove");
    if (!group || !event.target.matches(".n, [data-r]")) return;
    for (const other of group.querySelectorAll('[tabindex="0"]')) if (other !== event.target && other.matches(".n, [data-r]")) other.setAttribute("tabindex", "-1");
    event.target.setAttribute("tabindex", "0");
  });
}

/** The text of a table's cell, its numbers in full precision. */
export function exact(node) {
  if (node === null || node === undefined) return "";
  if (Array.isArray(node)) return node.map(exact).join("");
  if (typeof node !== "object") return String(node);
  if (node.nodeType === 3) return node.data;
  if (node.matches?.("canvas, .meter")) return "";
  if (node.dataset?.n) return precise(app.trace.at(node.dataset.n, node.dataset.i.split(",").map(Number)));
  if (node.dataset?.e) return precise(notes.get(node.dataset.e).value);
  return [...node.childNodes].map(exact).join("");
}

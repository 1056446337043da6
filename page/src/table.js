// Tables whose rows are made when they come into sight, and the same tables as CSV, Markdown and JSON.
import { app } from "./app.js";
import { h, exact, settle, button } from "./dom.js";

const SMALL = 60; // rows that are simply there
const HEIGHT = 32; // pixels of a row that is not

/** Which rows of a long table to draw: [from, to). */
export function visibleRows(top, height, count, size = HEIGHT, spare = 8) {
  const from = Math.max(0, Math.min(Math.floor(top / size) - spare, count));
  return [from, Math.min(count, Math.ceil((top + height) / size) + spare)];
}

/** Single numbers stand to the right, words and vectors to the left. */
const sideOf = (cell) => (cell?.th || cell?.matches?.(".v, bdi, .guess, code") || (typeof cell === "string" && !/^[-+\d\s.,%–·]*$/.test(cell)) ? null : "r");

/** head: texts or nodes; row(i): cells, each a text or node; a cell {th: node} is the row's name. */
export function table({ title, head, count, row, mark, name, quiet, wrap }) {
  const sides = count ? row(0).map(sideOf) : [];
  const columns = head.map((cell, n) => h("th", { scope: "col", class: sides[n] }, cell));
  const body = h("tbody");
  const long = count > SMALL;
  const grid = h("table", { class: "rove" + (long ? " long" : wrap ? " wrap" : ""), "aria-rowcount": long ? count + 1 : undefined },
    h("caption", quiet ? { class: "hidden" } : null, title), h("thead", null, h("tr", null, columns)), body);
  const scroll = h("div", { class: "scroll" + (long ? " tall" : ""), tabindex: 0, role: "region", "aria-label": title }, grid);
  const line = (i) => h("tr", { class: mark?.(i) ? "on" : null, "aria-rowindex": long ? i + 2 : undefined, "data-row": i },
    row(i).map((cell, n) => (cell?.th ? h("th", { scope: "row" }, cell.th) : h("td", { class: sides[n] }, cell))));
  if (long) virtual(scroll, grid, body, count, line, head.length);
  else body.append(...Array.from({ length: count }, (_, i) => line(i)));
  const all = () => Array.from({ length: count }, (_, i) => row(i).map((cell) => exact(cell?.th ?? cell)));
  return h("div", { class: "tablebox" }, scroll, downloads(name || title, head.map(exact), all));
}

function virtual(scroll, grid, body, count, line, width) {
  const above = h("tr", { class: "space", "aria-hidden": "true" }, h("td", { colspan: width }));
  const below = above.cloneNode(true);
  let shown = [-1, -1];
  const draw = () => {
    const [from, to] = visibleRows(scroll.scrollTop, scroll.clientHeight || 480, count);
    if (from === shown[0] && to === shown[1]) return;
    shown = [from, to];
    const active = body.contains(document.activeElement) ? document.activeElement : null;
    const at = active && [active.closest("tr").dataset.row, [...active.closest("tr").querySelectorAll("button")].indexOf(active)];
    above.firstChild.style.height = `${from * HEIGHT}px`;
    below.firstChild.style.height = `${(count - to) * HEIGHT}px`;
    body.replaceChildren(above, ...Array.from({ length: to - from }, (_, i) => line(from + i)), below);
    settle(scroll);
    if (at) body.querySelector(`tr[data-row="${at[0]}"]`)?.querySelectorAll("button")[at[1]]?.focus({ preventScroll: true });
  };
  scroll.addEventListener("scroll", draw, { passive: true });
  grid.addEventListener("edge", (event) => { scroll.scrollTop += (event.detail === "ArrowUp" ? -4 : 4) * HEIGHT; });
  grid.addEventListener("focusin", (event) => event.target.closest("tr")?.scrollIntoView?.({ block: "nearest" }));
  draw();
}

const quoted = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const barred = (text) => text.replaceAll("\\", "\\\\").replaceAll("|", "\\|").replace(/[\n\r]+/g, " ");
export const asCsv = (head, rows) => [head, ...rows].map((cells) => cells.map((cell) => quoted(String(cell))).join(",")).join("\r\n") + "\r\n";
export const asMarkdown = (head, rows) => [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.map((cell) => barred(String(cell))).join(" | ")} |`).join("\n") + "\n";
export const asJson = (head, rows) => JSON.stringify(rows.map((cells) => Object.fromEntries(cells.map((cell, n) => [head[n] || String(n), cell]))), null, 1);

export function save(name, content, kind) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: kind }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

const fileName = (name) => name.normalize("NFKD").replace(/ł/g, "l").replace(/[^\w.-]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60).toLowerCase() || "osnowa";

export function downloads(name, head, rows, canvas) {
  const file = fileName(name);
  const box = h("details", { class: "save" }, h("summary", { "aria-label": `${app.w("download")}: ${name}` }, app.w("download")));
  if (rows) {
    box.append(button("CSV", () => save(`${file}.csv`, "\ufeff" + asCsv(head, rows()), "text/csv")),
      button("Markdown", () => save(`${file}.md`, asMarkdown(head, rows()), "text/markdown")),
      button("JSON", () => save(`${file}.json`, asJson(head, rows()), "application/json")));
  }
  if (canvas) box.append(button("PNG", () => canvas().toBlob((blob) => save(`${file}.png`, blob))));
  return box;
}

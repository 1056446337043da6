// Reads the file, draws the page a section at a time, checks every number, and keeps the state in the address.
import { app } from "./app.js";
import { bytesOf, gunzip, Trace } from "./payload.js";
import { readHash, fitted, writeHash } from "./hash.js";
import { h, settle, listenForArrows, notes } from "./dom.js";
import { verify } from "./verify.js";
import { equationPanel, closeForGood } from "./equation.js";
import { forgetColours } from "./picture.js";
import { rail, light } from "./rail.js";
import { bar, refresh, showBadge } from "./bar.js";
import { about, tokens } from "./about.js";
import { inputs, layers } from "./inputs.js";
import { attention, heads, joining } from "./attention.js";
import { addNorm, ffn, matrix } from "./blocks.js";
import { mlm, nsp, next } from "./predictions.js";
import { across } from "./across.js";
import { learned, training } from "./learned.js";
import { seed } from "./seed.js";
import { closing } from "./closing.js";

const ALL = [about, seed, tokens, inputs, layers, attention, heads, joining, addNorm, ffn, matrix, mlm, nsp, next, across, training, learned, closing];
const page = { shown: [], top: null, rail: null, main: null, badge: null, result: null };

const tick = () => new Promise((resolve) => { const channel = new MessageChannel(); channel.port1.onmessage = () => { channel.port1.close(); resolve(); }; channel.port2.postMessage(0); });

/** Builds a section again; the control that had the focus gets it back. */
function build(section) {
  const { body, part } = section;
  const active = body.contains(document.activeElement) ? document.activeElement : null;
  const key = active?.dataset.key;
  const number = active?.dataset.n && [active.dataset.n, active.dataset.i];
  let made;
  try { made = part.build(body); } catch (error) { // one broken section leaves the others whole
    console.error(error);
    made = h("p", { class: "failed", role: "alert" }, String(error));
  }
  body.replaceChildren(...[made].flat(9).filter((node) => node !== null && node !== undefined && node !== false && node !== ""));
  settle(body);
  part.update?.(body);
  section.stale = false;
  if (key) body.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  else if (number) body.querySelector(`.n[data-n="${CSS.escape(number[0])}"][data-i="${number[1]}"]`)?.focus({ preventScroll: true });
}

const near = ({ root }) => { const box = root.getBoundingClientRect(); return box.bottom > -300 && box.top < innerHeight + 300; };

let filling = null;
/** The rest of the sections, one at a time, so that the page stays alive. */
function fill() {
  filling ||= (async () => {
    let until = performance.now() + 12;
    for (;;) {
      const stale = page.shown.find((section) => section.stale);
      if (!stale) break;
      build(stale);
      if (performance.now() > until) { await tick(); until = performance.now() + 12; }
    }
    filling = null;
  })();
  return filling;
}

function drawBar() {
  const key = page.top.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  page.top.replaceChildren(...bar(page.badge).filter(Boolean));
  if (app.state.t) refresh(page.top, true);
  if (key) page.top.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

function changed(keys) {
  if (keys.includes("lang") || keys.includes("theme")) return drawAll();
  const close = new Set(page.shown.filter(near)); // asked before anything is changed: one layout, not one for each
  if (keys.includes("s")) drawBar();
  else refresh(page.top);
  if (keys.includes("s")) light(page.rail, page.here);
  for (const section of page.shown) {
    const { part } = section;
    if (part.deps.some((key) => keys.includes(key))) section.stale = true;
    else if (part.touch?.some((key) => keys.includes(key))) part.update(section.body);
  }
  for (const section of close) if (section.stale) build(section);
  app.say(`${app.w("layer")} ${app.state.l + 1}, ${app.w("head")} ${app.state.h + 1}, ${app.w("token")} ${app.state.t}`);
  setTimeout(fill, 120);
}

function whereAmI() {
  let here = page.shown[0];
  for (const section of page.shown) if (section.root.getBoundingClientRect().top < innerHeight * 0.35) here = section;
  if (here.part.id === page.here) return;
  page.here = here.part.id;
  light(page.rail, page.here);
}

const go = (id) => { const root = document.getElementById(id); if (!root) return; root.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" }); root.focus({ preventScroll: true }); };

function drawAll() {
  const { lang, theme } = app.state;
  document.documentElement.lang = lang;
  if (theme) document.documentElement.dataset.theme = theme; else delete document.documentElement.dataset.theme;
  forgetColours();
  closeForGood();
  const key = document.activeElement?.dataset?.key;
  const scrolled = scrollY;
  page.badge ||= h("button", { type: "button", class: "badge", "data-e": "badge" });
  showBadge(page.badge, page.result);
  page.top = h("header", { class: "top" });
  page.shown = ALL.filter((part) => !part.when || part.when()).map((part, i) => {
    const body = h("div", { class: "body" });
    const root = h("section", { id: part.id, tabindex: -1, "aria-labelledby": `${part.id}-title` }, h("h2", { id: `${part.id}-title` }, h("span", { class: "number" }, String(i)), app.w(part.title)), body);
    return { part, body, root, stale: true };
  });
  const title = h("h1", null, h("bdi", null, app.trace.index.title));
  page.main = h("main", { id: "main", class: window.__explain.ready ? "drawn" : null }, h("p", { class: "over" }, app.w("over")), title, page.shown.map((section) => section.root), h("footer", null, app.w("footer", app.trace.index.facts.version)));
  page.rail = h("nav", { class: "rail", "aria-label": app.w("rail_label") });
  document.getElementById("app").replaceChildren(h("a", { class: "skip", href: "#main", onclick: (event) => { event.preventDefault(); page.shown[0].root.focus(); page.main.scrollIntoView(); } }, app.w("skip")), page.top, page.rail, page.main, equationPanel.node, h("div", { id: "live", class: "hidden", "aria-live": "polite" }));
  equationPanel.node.setAttribute("aria-label", app.w("equation"));
  drawBar();
  page.rail.append(rail());
  page.here = null;
  if (scrolled) {
    scrollTo(0, scrolled);
    for (const section of page.shown) if (near(section)) build(section);
    whereAmI();
  } else light(page.rail, (page.here = page.shown[0].part.id));
  if (key) page.top.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  return fill();
}

/** What the badge opens: how many numbers of each kind of step, and where one does not agree. */
function badgeNote() {
  const result = page.result || { kinds: {}, first: [], broken: [] };
  return {
    title: app.w("badge_title"), text: app.w("badge_text"),
    pairs: [...Object.entries(result.kinds).filter(([, one]) => one.checked).map(([op, one]) => [op, `${one.checked} · ${one.bad} ✗ · ≤ ${one.largest.toExponential(1)}`]), ...result.broken.map((name) => [app.w("changed_bytes"), name]), ...result.first.map((one) => ["✗", { ...one }])],
  };
}

const told = (result) => ({ checked: result.checked, bad: result.bad, broken: result.broken, first: result.first, kinds: result.kinds });

async function start() {
  const index = JSON.parse(document.getElementById("index").textContent);
  const blob = document.getElementById("blob");
  const buffer = await gunzip(bytesOf(blob.textContent));
  blob.remove(); // its text is held no longer
  app.trace = new Trace(index, buffer);
  app.state = fitted(readHash(location.hash), index);
  Object.assign(window.__explain, { state: () => ({ ...app.state }), set: app.set, trace: app.trace });
  window.__explain.verify = async () => told(await verify(app.trace));
  notes.set("badge", { get value() { return page.result?.checked ?? 0; }, spec: badgeNote });
  equationPanel.node = equationPanel();
  listenForArrows(document.body);
  app.listeners.push(changed);
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-go]");
    if (!link) return;
    event.preventDefault();
    document.documentElement.classList.remove("open-rail");
    if (link.dataset.side && link.dataset.side !== app.state.s) app.set({ s: link.dataset.side, t: undefined });
    go(link.dataset.go);
  });
  addEventListener("hashchange", () => { app.set(readHash(location.hash)); if (app.state.at) go(app.state.at); });
  let waiting = false;
  addEventListener("scroll", () => { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; whereAmI(); for (const section of page.shown) if (section.stale && near(section)) build(section); }); } }, { passive: true });
  let later = null;
  addEventListener("resize", () => { clearTimeout(later); later = setTimeout(() => document.querySelectorAll(".heatbox").forEach((figure) => figure.redraw()), 150); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (!app.state.theme) drawAll(); });
  addEventListener("beforeprint", () => { for (const section of page.shown) if (section.stale) build(section); });
  await drawAll();
  history.replaceState(null, "", writeHash(app.state));
  if (app.state.at) document.getElementById(app.state.at)?.scrollIntoView();
  page.main.classList.add("drawn");
  Object.assign(window.__explain, { ready: true, readyAfter: performance.now() });
  page.result = await verify(app.trace, { progress: (result) => { page.result = result; showBadge(page.badge, result); } });
}

window.__explain = { ready: false, verify: null, state: null };
start().catch((error) => {
  document.getElementById("app").append(h("p", { class: "failed", role: "alert" }, String(error)));
  throw error;
});

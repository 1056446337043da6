// The bar at the top: the tokens, layer and head, language, theme, and the badge of the check.
import { app } from "./app.js";
import { h, button, word, visible } from "./dom.js";

function stepper(key, label, size) {
  const value = app.state[key];
  const go = (step) => app.set({ [key]: (app.state[key] + step + size) % size });
  return h("div", { class: "stepper", role: "group", "aria-label": label }, h("span", null, label), button("◀", () => go(-1), { "aria-label": `${label}: ${app.w("one_back")}`, "data-key": `${key}-`, class: "do icon" }),
    h("output", { "data-of": key }, `${value + 1}/${size}`), button("▶", () => go(1), { "aria-label": `${label}: ${app.w("one_on")}`, "data-key": `${key}+`, class: "do icon" }));
}

function chips() {
  const side = app.side;
  const { t } = app.state;
  const focus = app.trace.index.focus?.[app.state.s];
  const few = focus && focus.length < side.tokens.length ? new Set(focus) : null;
  return h("div", { class: "chips rove", role: "group", "aria-label": app.w("choose_token") }, side.tokens.map((token, i) => h("button", { type: "button", class: "chip" + (few && !few.has(i) ? " away" : ""), "data-r": i, "data-key": `t${i}`, tabindex: i === t ? 0 : -1, "aria-pressed": String(i === t), onclick: () => app.set({ t: i }) }, word(token))));
}

/** The bar after a change of token, layer or head; a chosen token that is out of sight is scrolled to. */
export function refresh(top, moved) {
  for (const out of top.querySelectorAll("[data-of]")) out.textContent = `${app.state[out.dataset.of] + 1}/${app.side[{ l: "layers", h: "heads" }[out.dataset.of]]}`;
  const chips = top.querySelector(".chips");
  const before = chips.querySelector('[aria-pressed="true"]');
  const on = chips.children[app.state.t];
  if (before === on && !moved) return;
  before.setAttribute("aria-pressed", "false");
  before.setAttribute("tabindex", "-1");
  on.setAttribute("aria-pressed", "true");
  on.setAttribute("tabindex", "0");
  if (on.offsetLeft < chips.scrollLeft || on.offsetLeft + on.offsetWidth > chips.scrollLeft + chips.clientWidth) chips.scrollLeft = on.offsetLeft - chips.clientWidth / 2;
}

/** What the badge says, by the result so far. */
export function badgeText(result) {
  if (!result) return app.w("checking");
  const n = app.many(result.checked, "n_numbers");
  if (result.bad) return `✗ ${n}, ${app.many(result.bad, "n_mismatches")}`;
  return result.done ? `✓ ${n}, ${app.w("no_mismatch")}` : `… ${n}`;
}

export function showBadge(badge, result) {
  badge.textContent = badgeText(result);
  badge.className = "n badge " + (result?.bad ? "wrong" : result?.done ? "fine" : "");
}

export function bar(badge) {
  const sides = Object.keys(app.trace.sides);
  const other = app.state.lang === "pl" ? "en" : "pl";
  const dark = app.state.theme ? app.state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const which = sides.length > 1 && h("div", { class: "choices", role: "group", "aria-label": app.w("which_side") }, sides.map((s) => button(app.w(s === "enc" ? "encoder" : "decoder"), () => app.set({ s, t: undefined }), { "aria-pressed": String(s === app.state.s), "data-key": `s-${s}` })));
  return [h("div", { class: "row" }, h("strong", { class: "brand" }, "osnowa"), h("span", { class: "about" }, h("bdi", null, visible(app.trace.index.facts.folder, 40))), badge,
    h("div", { class: "right" }, button(app.w("map"), (event) => { const open = document.documentElement.classList.toggle("open-rail"); event.target.setAttribute("aria-expanded", String(open)); }, { class: "do mapbutton", "aria-expanded": "false", "data-key": "map" }),
      button(other.toUpperCase(), () => app.set({ lang: other }), { "aria-label": app.w("other_language"), lang: other, "data-key": "lang" }), button(dark ? "☀" : "☾", () => app.set({ theme: dark ? "light" : "dark" }), { "aria-label": app.w(dark ? "to_light" : "to_dark"), "data-key": "theme", class: "do icon" }))),
  h("div", { class: "row" }, which, stepper("l", app.w("layer"), app.side.layers), stepper("h", app.w("head"), app.side.heads), chips())];
}

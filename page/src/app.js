// What all parts of the page share: the trace, the state, the words, and how both change.
import { WORDS } from "./words.js";
import { fitted, writeHash } from "./hash.js";
import { plural, count } from "./number.js";

export const app = {
  trace: null,
  state: {},
  listeners: [],
  /** The words of a key in the page's language; {0}, {1} are replaced. */
  w(key, ...values) {
    const pair = WORDS[key];
    const text = pair ? pair[app.state.lang === "en" ? 1 : 0] : key;
    return text.replace(/\{(\d)\}/g, (_, place) => values[place] ?? "");
  },
  /** "5 tokenów", "1 token": the number and the form of the word that goes with it. */
  many(n, key) {
    const forms = app.w(key).split("|");
    const table = app.state.lang === "en" ? { one: forms[0], other: forms[1] } : { one: forms[0], few: forms[1], many: forms[2], other: forms[2] };
    return `${count(n, app.state.lang)} ${plural(n, table, app.state.lang)}`;
  },
  /** A text of the file that comes in both languages. */
  both: (text) => (text && typeof text === "object" ? text[app.state.lang] ?? text.en : text ?? ""),
  set(patch) {
    const before = app.state;
    app.state = fitted({ ...before, ...patch }, app.trace.index);
    const changed = Object.keys({ ...before, ...app.state }).filter((key) => before[key] !== app.state[key]);
    if (!changed.length) return;
    history.replaceState(null, "", writeHash(app.state));
    for (const listen of app.listeners) listen(changed);
  },
  get side() { return app.trace.sides[app.state.s]; },
  get config() { return app.trace.index.facts.config; },
  /** "enc.2" for the chosen side and layer. */
  get at() { return `${app.state.s}.${app.state.l}`; },
  /** Says a line to screen readers. */
  say(text) { const live = document.getElementById("live"); if (live) live.textContent = text; },
};

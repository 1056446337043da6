// The page's state as the address's hash, so that a view can be linked: #t=2&l=3&h=5&s=enc&lang=pl.

const NUMBERS = ["t", "l", "h", "d", "m", "n", "k"];
const WORDS = ["s", "lang", "theme", "at"];

export function readHash(text) {
  const state = {};
  for (const [key, value] of new URLSearchParams(text.replace(/^#/, ""))) {
    if (NUMBERS.includes(key) && /^\d{1,6}$/.test(value)) state[key] = Number(value);
    if (WORDS.includes(key) && /^[a-z0-9-]{1,20}$/.test(value)) state[key] = value;
  }
  return state;
}

export function writeHash(state) {
  const pairs = [...NUMBERS, ...WORDS].filter((key) => state[key] !== undefined && state[key] !== null && state[key] !== "");
  return "#" + pairs.map((key) => `${key}=${state[key]}`).join("&");
}

/** A state that fits the trace: a side it has, and a token, layer and head within it. */
export function fitted(state, index) {
  const sides = Object.keys(index.sides);
  const s = sides.includes(state.s) ? state.s : sides.at(-1);
  const side = index.sides[s];
  const within = (value, count, usual = 0) => (Number.isInteger(value) ? Math.min(Math.max(value, 0), Math.max(count - 1, 0)) : usual);
  const lang = ["pl", "en"].includes(state.lang) ? state.lang : index.lang === "en" ? "en" : "pl";
  const theme = ["light", "dark"].includes(state.theme) ? state.theme : undefined;
  const asked = s === "enc" ? index.answers?.masks?.[0] : index.answers?.next;
  const usual = asked?.place ?? index.focus?.[s]?.[0] ?? 0;
  return { ...state, s, lang, theme, t: within(state.t, side.tokens.length, usual), l: within(state.l, side.layers), h: within(state.h, side.heads) };
}

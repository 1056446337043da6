// Numbers as text. Inside vectors the decimal point stays in both languages; counts follow the language.

export function digits(x) {
  if (x === undefined) return "·";
  if (!Number.isFinite(x)) return String(x).replace("Infinity", "∞");
  const size = Math.abs(x);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return x.toExponential(2);
  return x.toFixed(size >= 1000 ? 1 : size >= 100 ? 2 : size >= 10 ? 3 : 4);
}

export const precise = (x) => (x === undefined ? "·" : Number.isFinite(x) ? String(Number(x.toPrecision(9))) : String(x));
export const count = (n, lang) => new Intl.NumberFormat(lang, { useGrouping: true }).format(n).replace(/\u00a0/g, "\u202f");
export const percent = (p, lang) => {
  const places = p > 0 && p < 0.001 ? 3 : p < 0.1 ? 2 : 1;
  return new Intl.NumberFormat(lang, { style: "percent", minimumFractionDigits: places, maximumFractionDigits: places }).format(p);
};

/** The form of a word that goes with n: {one, few, many, other}. */
export function plural(n, forms, lang) {
  const rule = new Intl.PluralRules(lang).select(n);
  return forms[rule] ?? forms.many ?? forms.other;
}

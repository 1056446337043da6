// Every operation of the trace: a row recomputed from its operands, and the terms that one element is made of.
// row(ins, attrs, lead, columns, out, have): fills out[c] and have[c] = 1 for each column whose operands are in the file.

export const LOWEST = -3.4028234663852886e38;

/** Error function to 1.2e-7 (Numerical Recipes, 6.2). */
export function erf(x) {
  const t = 1 / (1 + 0.5 * Math.abs(x));
  const c = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277];
  const tail = t * Math.exp(-x * x + c.reduceRight((sum, each) => sum * t + each, 0));
  return x >= 0 ? 1 - tail : tail - 1;
}

const FUNCTIONS = {
  relu: (x) => Math.max(x, 0),
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  silu: (x) => x / (1 + Math.exp(-x)),
  tanh: Math.tanh,
};

/** The lead of an operand that lacks leading axes of the result. */
const trim = (tensor, lead) => (tensor.last === lead.length ? lead : lead.slice(lead.length - tensor.last));
const ref = (tensor, index) => ({ name: tensor.name, index, value: tensor.at(index) });

/** Elementwise operations of one or more operands of the same columns. */
function each(compute) {
  return (ins, attrs, lead, columns, out, have) => {
    const starts = ins.map((tensor) => tensor.start(trim(tensor, lead)));
    if (starts.some((start) => start < 0)) return;
    const values = new Array(ins.length);
    for (const c of columns) {
      let whole = true;
      for (let n = 0; n < ins.length; n++) {
        const column = ins[n].column(c);
        if (column < 0) whole = false;
        else values[n] = ins[n].data[starts[n] + column];
      }
      if (whole) { out[c] = compute(values, attrs); have[c] = 1; }
    }
  };
}

function product(data, a, other, b, n) {
  let sum = 0;
  for (let k = 0; k < n; k++) sum += data[a + k] * other[b + k];
  return sum;
}

export function softmaxOf(row) {
  let top = -Infinity;
  for (const x of row) if (x > top) top = x;
  let sum = 0;
  for (const x of row) sum += Math.exp(x - top);
  return { top, sum };
}

export function moments(row, eps, centred) {
  let mean = 0;
  if (centred) { for (const x of row) mean += x; mean /= row.length; }
  let variance = 0;
  for (const x of row) variance += (x - mean) ** 2;
  variance /= row.length;
  return { mean, variance, scale: 1 / Math.sqrt(variance + eps) };
}

function normed(centred) {
  return {
    row([x, w, b], attrs, lead, columns, out, have) {
      const row = x.row(lead);
      if (!row) return;
      const { mean, scale } = moments(row, attrs.eps, centred);
      for (const c of columns) {
        const weight = w.at([c]);
        const bias = b ? b.at([c]) : 0;
        if (weight === undefined || bias === undefined) continue;
        out[c] = (row[c] - mean) * scale * (weight + (attrs.offset ? 1 : 0)) + bias;
        have[c] = 1;
      }
    },
    terms([x, w, b], attrs, index) {
      const row = x.row(index.slice(0, -1));
      if (!row) return null;
      const c = index.at(-1);
      const { mean, variance, scale } = moments(row, attrs.eps, centred);
      return {
        kind: centred ? "layernorm" : attrs.offset ? "rmsnorm1" : "rmsnorm",
        named: [["x", ref(x, index)], ...(centred ? [["μ", mean], ["σ²", variance]] : [["mean(x²)", variance]]), ["ε", attrs.eps],
          [centred ? "1/√(σ²+ε)" : "1/√(mean(x²)+ε)", scale], [centred ? "γ" : "w", ref(w, [c])], ...(b ? [["β", ref(b, [c])]] : [])],
        operands: { name: x.name, lead: index.slice(0, -1), width: row.length },
      };
    },
  };
}

const unary = (compute, formula) => ({
  row: each(([x], attrs) => compute(x, attrs)),
  terms: ([x], attrs, index) => ({ kind: formula, named: [["x", ref(x, trim(x, index.slice(0, -1)).concat(index.at(-1)))], ...named(attrs)] }),
});
const named = (attrs) => Object.entries(attrs || {}).filter(([, value]) => typeof value === "number");

export const OPS = {
  lookup: {
    row([table], { rows }, [i], columns, out, have) {
      const start = table.start([rows[i]]);
      if (start < 0) return;
      for (const c of columns) {
        const column = table.column(c);
        if (column >= 0) { out[c] = table.data[start + column]; have[c] = 1; }
      }
    },
    terms: ([table], { rows }, [i, c]) => ({ kind: "lookup", named: [["E", ref(table, [rows[i], c])]], note: rows[i] }),
  },
  add: {
    row: each((values) => values.reduce((sum, x) => sum + x, 0)),
    terms: (ins, _, index) => ({ kind: "add", rows: ins.map((t) => ({ label: t.name, factors: [ref(t, index.slice(index.length - t.shape.length))] })) }),
  },
  scale: unary((x, { factor }) => x * factor, "scale"),
  softcap: unary((x, { cap }) => cap * Math.tanh(x / cap), "softcap"),
  layernorm: normed(true),
  rmsnorm: normed(false),
  linear: {
    row([x, w, b], { heads }, lead, columns, out, have) {
      const n = x.width;
      const start = x.long ? x.start(heads ? lead.slice(1) : lead) : -1;
      if (start < 0 || !w.long) return;
      for (const c of columns) {
        const o = heads ? lead[0] * (w.shape[0] / heads) + c : c;
        const from = w.start([o]);
        const bias = b ? b.at([o]) : 0;
        if (from < 0 || bias === undefined) continue;
        out[c] = product(x.data, start, w.data, from, n) + bias;
        have[c] = 1;
      }
    },
    terms([x, w, b], { heads }, index) {
      const lead = heads ? index.slice(1, -1) : index.slice(0, -1);
      const o = heads ? index[0] * (w.shape[0] / heads) + index.at(-1) : index.at(-1);
      return {
        kind: b ? "linear" : "linear0",
        rows: Array.from({ length: x.width }, (_, k) => ({ label: k, factors: [ref(x, [...lead, k]), ref(w, [o, k])] }))
          .concat(b ? [{ label: "b", factors: [ref(b, [o])] }] : []),
      };
    },
  },
  rotate: {
    row([x, cos, sin], _, [h, i], columns, out, have) {
      const row = x.row([h, i]);
      const c0 = cos.row([i]);
      const s0 = sin.row([i]);
      if (!row || !c0 || !s0) return;
      for (const c of columns) { out[c] = row[c] * c0[c] + row[(c + row.length / 2) % row.length] * s0[c]; have[c] = 1; }
    },
    terms([x, cos, sin], _, [h, i, c]) {
      const other = (c + x.width / 2) % x.width;
      return { kind: "rotate", rows: [
        { label: "cos", factors: [ref(x, [h, i, c]), ref(cos, [i, c])] }, { label: "sin", factors: [ref(x, [h, i, other]), ref(sin, [i, c])] }] };
    },
  },
  dot: {
    row([q, k], { group }, [h, i], columns, out, have) {
      const start = q.long && k.long ? q.start([h, i]) : -1;
      if (start < 0) return;
      const shared = Math.floor(h / (group || 1));
      for (const j of columns) {
        const from = k.start([shared, j]);
        if (from >= 0) { out[j] = product(q.data, start, k.data, from, q.width); have[j] = 1; }
      }
    },
    terms: ([q, k], { group }, [h, i, j]) => ({ kind: "dot", rows: Array.from({ length: q.width }, (_, c) => (
      { label: c, factors: [ref(q, [h, i, c]), ref(k, [Math.floor(h / (group || 1)), j, c])] })) }),
  },
  mask: {
    row([x, visible], _, lead, columns, out, have) {
      const start = x.start(lead);
      const seen = visible.start(lead.slice(-1));
      if (seen < 0) return;
      for (const j of columns) {
        const column = visible.column(j);
        if (column < 0) continue;
        if (!visible.data[seen + column]) { out[j] = LOWEST; have[j] = 1; continue; }
        const own = start < 0 ? -1 : x.column(j);
        if (own >= 0) { out[j] = x.data[start + own]; have[j] = 1; }
      }
    },
    terms: ([x, visible], _, index) => ({ kind: "mask", named: [["x", ref(x, index)], ["visible", ref(visible, index.slice(-2))]] }),
  },
  softmax: {
    row([x], _, lead, columns, out, have) {
      const row = x.row(lead);
      if (!row) return;
      const { top, sum } = softmaxOf(row);
      for (const c of columns) { out[c] = Math.exp(row[c] - top) / sum; have[c] = 1; }
    },
    terms([x], _, index) {
      const row = x.row(index.slice(0, -1));
      if (!row) return null;
      const { top, sum } = softmaxOf(row);
      const raised = Math.exp(row[index.at(-1)] - top);
      return { kind: "softmax", named: [["x", ref(x, index)], ["max", top], ["e^(x−max)", raised], ["Σ e^(xₖ−max)", sum]],
        operands: { name: x.name, lead: index.slice(0, -1), width: row.length, raised: (value) => Math.exp(value - top) } };
    },
  },
  mix: {
    row([weights, v], { group }, [h, i], columns, out, have) {
      const row = weights.row([h, i]);
      const shared = Math.floor(h / (group || 1));
      if (!row) return;
      const starts = Int32Array.from(row, (_, j) => v.start([shared, j]));
      for (const c of columns) {
        const column = v.column(c);
        if (column < 0) continue;
        let sum = 0;
        let whole = true;
        for (let j = 0; j < row.length; j++) {
          if (starts[j] >= 0) sum += row[j] * v.data[starts[j] + column];
          else if (row[j] !== 0) { whole = false; break; } // a hidden token adds nothing, whatever its value
        }
        if (whole) { out[c] = sum; have[c] = 1; }
      }
    },
    terms: ([weights, v], { group }, [h, i, c]) => ({ kind: "mix", rows: Array.from({ length: weights.width }, (_, j) => (
      { label: j, token: true, factors: [ref(weights, [h, i, j]), ref(v, [Math.floor(h / (group || 1)), j, c])] })) }),
  },
  concat: {
    row([x], _, [i], columns, out, have) {
      const w = x.width;
      for (const c of columns) {
        const value = x.at([Math.floor(c / w), i, c % w]);
        if (value !== undefined) { out[c] = value; have[c] = 1; }
      }
    },
    terms: ([x], _, [i, c]) => ({ kind: "concat", named: [["x", ref(x, [Math.floor(c / x.width), i, c % x.width])]] }),
  },
  multiply: {
    row: each((values) => values.reduce((sum, x) => sum * x, 1)),
    terms: (ins, _, index) => ({ kind: "multiply", rows: [{ label: "", factors: ins.map((t) => ref(t, index)) }] }),
  },
  pick: {
    row: ([x], { row }, lead, columns, out, have) => each(([value]) => value)([x], {}, [row, ...lead], columns, out, have),
    terms: ([x], { row }, index) => ({ kind: "pick", named: [["x", ref(x, [row, ...index])]] }),
  },
  total: {
    row([x], _, lead, columns, out, have) {
      for (const t of columns) {
        const row = x.row([t]);
        if (row) { out[t] = row.reduce((sum, value) => sum + value, 0); have[t] = 1; }
      }
    },
    terms: ([x], _, [t]) => ({ kind: "total", part: true, rows: Array.from({ length: x.width }, (_, k) => ({ label: k, factors: [ref(x, [t, k])] })) }),
  },
  nll: {
    row([p], { labels }, _, columns, out, have) {
      for (const i of columns) {
        const value = p.at(p.last ? [i, labels[i]] : [i]);
        if (value !== undefined) { out[i] = -Math.log(value); have[i] = 1; }
      }
    },
    terms: ([p], { labels }, [i]) => ({ kind: "nll", named: [["p", ref(p, p.last ? [i, labels[i]] : [i])]] }),
  },
  mean: {
    row([x], _, lead, columns, out, have) {
      if (x.whole) { out[0] = x.data.reduce((sum, value) => sum + value, 0) / x.data.length; have[0] = 1; }
    },
    terms: ([x]) => ({ kind: "mean", rows: Array.from({ length: x.width }, (_, k) => ({ label: k, factors: [ref(x, [k])] })) }),
  },
};
for (const [name, compute] of Object.entries(FUNCTIONS)) OPS[name] = unary(compute, name);

/** The operands of a step; null where one is not in the file or the page does not know the operation. */
export function operands(trace, step) {
  if (!OPS[step.op]) return null;
  const ins = step.in.map((name) => trace.get(name));
  return ins.includes(null) ? null : ins;
}

/** One element recomputed: {step, value, terms}; value undefined where operands are not in the file. */
export function recompute(trace, name, index) {
  const step = trace.made.get(name);
  const ins = step && operands(trace, step);
  if (!ins) return { step, value: undefined, terms: null };
  const out = [];
  const have = [];
  const column = index.at(-1);
  OPS[step.op].row(ins, step.attrs || {}, index.slice(0, -1), [column], out, have);
  return { step, value: have[column] ? out[column] : undefined, terms: have[column] ? OPS[step.op].terms(ins, step.attrs || {}, index) : null };
}

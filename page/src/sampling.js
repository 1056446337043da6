// The next token's probabilities with a temperature, the k likeliest, and the fewest that hold a share p.

/** Returns {p, kept}: probabilities after all three, and the ids that may still be drawn, likeliest first. */
export function reweigh(logits, { temperature = 1, topK = 0, topP = 1 } = {}) {
  const order = Array.from(logits, (_, id) => id).sort((a, b) => logits[b] - logits[a] || a - b);
  const top = logits[order[0]];
  const heat = Math.max(temperature, 1e-6);
  let kept = topK > 0 ? order.slice(0, topK) : order;
  const raised = new Map(kept.map((id) => [id, Math.exp((logits[id] - top) / heat)]));
  let sum = 0;
  for (const value of raised.values()) sum += value;
  if (topP < 1) {
    let held = 0;
    let count = 0;
    while (count < kept.length && held < topP * sum) held += raised.get(kept[count++]);
    kept = kept.slice(0, Math.max(count, 1));
    sum = held || raised.get(kept[0]);
  }
  const p = new Float64Array(logits.length);
  for (const id of kept) p[id] = raised.get(id) / sum;
  return { p, kept, sum, top };
}

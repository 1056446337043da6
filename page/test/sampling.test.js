// Temperature, top-k and top-p.
import test from "node:test";
import assert from "node:assert/strict";
import { reweigh } from "../src/sampling.js";

const LOGITS = [2.5, -1.0, 0.5, -0.2, 1.8];
const rounded = (p) => [...p].map((x) => Number(x.toFixed(3)));

test("without knobs it is the softmax", () => {
  assert.deepEqual(rounded(reweigh(LOGITS).p), [0.578, 0.017, 0.078, 0.039, 0.287]);
});

test("a low temperature sharpens, a high one flattens", () => {
  assert.ok(reweigh(LOGITS, { temperature: 0.5 }).p[0] > 0.75);
  assert.ok(reweigh(LOGITS, { temperature: 2 }).p[0] < 0.45);
  assert.deepEqual(rounded(reweigh(LOGITS, { temperature: 1e-9 }).p), [1, 0, 0, 0, 0]);
});

test("top-k keeps the k likeliest and makes them sum to 1", () => {
  const { p, kept } = reweigh(LOGITS, { topK: 2 });
  assert.deepEqual(kept, [0, 4]);
  assert.deepEqual(rounded(p), [0.668, 0, 0, 0, 0.332]);
});

test("top-p keeps the fewest that hold the share", () => {
  assert.deepEqual(reweigh(LOGITS, { topP: 0.5 }).kept, [0]);
  assert.deepEqual(reweigh(LOGITS, { topP: 0.6 }).kept, [0, 4]);
  assert.deepEqual(reweigh(LOGITS, { topP: 0.9 }).kept, [0, 4, 2]);
  const sum = reweigh(LOGITS, { topP: 0.9, topK: 4, temperature: 1.3 }).p.reduce((total, x) => total + x, 0);
  assert.ok(Math.abs(sum - 1) < 1e-12);
});

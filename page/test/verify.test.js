// The check counts what it could recompute, and finds one changed number.
import test from "node:test";
import assert from "node:assert/strict";
import { verify } from "../src/verify.js";
import { crc32 } from "../src/payload.js";
import { traceOf } from "./traces.js";

const wait = () => Promise.resolve();
const tensors = () => ({ x: [[1, 2], [3, 4]], w: [[0.5, 1]], y: [[2.5], [5.5]], p: [[1], [1]] });
const steps = [{ op: "linear", out: "y", in: ["x", "w"] }, { op: "softmax", out: "p", in: ["y"] }];

function sealed(trace) {
  for (const meta of Object.values(trace.index.tensors)) meta.crc = crc32(new Uint8Array(trace.buffer, meta.at, meta.count * 4));
  return trace;
}

test("what is right is counted, and nothing is bad", async () => {
  const result = await verify(traceOf(tensors(), steps), { wait });
  assert.deepEqual([result.checked, result.bad, result.done], [4, 0, true]);
  assert.deepEqual(Object.keys(result.kinds), ["linear", "softmax"]);
});

test("a number changed by a thousandth is found, with its place", async () => {
  const trace = traceOf({ ...tensors(), y: [[2.5], [5.5 * 1.001]] }, steps);
  const result = await verify(trace, { wait });
  assert.equal(result.bad, 1);
  assert.deepEqual(result.first, [{ name: "y", index: [1, 0] }]);
});

test("a changed weight that the steps would let pass is found by its bytes", async () => {
  const small = { ...tensors(), w: [[0.5, 0.01]], y: [[0.52], [1.54]], p: [[1], [1]] };
  const trace = sealed(traceOf(small, steps));
  assert.deepEqual((await verify(trace, { wait })).broken, []);
  trace.get("w").data[1] *= 1.001;
  const result = await verify(trace, { wait });
  assert.equal(result.bad, 1);
  assert.deepEqual(result.broken, ["w"]);
});

test("a number that is no number is bad", async () => {
  const result = await verify(traceOf({ ...tensors(), p: [[NaN], [1]] }, steps), { wait });
  assert.equal(result.bad, 1);
});

test("what can't be recomputed is not counted", async () => {
  const unknown = [{ op: "experts", out: "p", in: ["x"] }, { op: "linear", out: "y", in: ["x", "absent"] }];
  assert.deepEqual([(await verify(traceOf(tensors(), unknown), { wait })).checked], [0]);
});

test("it pauses between slices and tells how far it is", async () => {
  let pauses = 0;
  const told = [];
  await verify(traceOf(tensors(), steps), { wait: async () => { pauses++; }, slice: -1, progress: (result) => told.push(result.done) });
  assert.ok(pauses >= 4);
  assert.equal(told.at(-1), true);
});

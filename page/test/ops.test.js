// Every operation against values computed by hand.
import test from "node:test";
import assert from "node:assert/strict";
import { OPS, recompute, erf, LOWEST } from "../src/ops.js";
import { traceOf } from "./traces.js";

const near = (made, wanted) => assert.ok(Math.abs(made - wanted) < 1e-6, `${made} is not ${wanted}`);

/** One step whose result has these zeros' shape: the recomputed element. */
function made(op, inputs, index, attrs = {}, outShape = null) {
  const names = inputs.map((_, i) => `in${i}`);
  const zeros = (shape) => (shape.length ? Array.from({ length: shape[0] }, () => zeros(shape.slice(1))) : 0);
  const tensors = Object.fromEntries(inputs.map((given, i) => [names[i], given]));
  const trace = traceOf({ ...tensors, out: zeros(outShape) }, [{ op, out: "out", in: names, attrs }]);
  return recompute(trace, "out", index);
}

const CASES = [
  ["lookup", [[[1, 2], [3, 4], [5, 6]]], [1, 0], { rows: [0, 2] }, [2, 2], 5],
  ["add", [[[1, 2]], [[10, 20]], [[100, 200]]], [0, 1], {}, [1, 2], 222],
  ["scale", [[[3, 4]]], [0, 1], { factor: 0.25 }, [1, 2], 1],
  ["layernorm", [[[1, 3]], [2, 2], [0.5, 0.5]], [0, 1], { eps: 0 }, [1, 2], 2.5], // mean 2, deviation 1
  ["rmsnorm", [[[3, 4]], [2, 2]], [0, 0], { eps: 0 }, [1, 2], 6 / Math.sqrt(12.5)],
  ["rmsnorm", [[[3, 4]], [1, 1]], [0, 0], { eps: 0, offset: true }, [1, 2], 6 / Math.sqrt(12.5)],
  ["linear", [[[1, 2]], [[3, 4], [5, 6]], [0.5, 0.25]], [0, 1], {}, [1, 2], 17.25],
  ["linear", [[1, 2], [[3, 4], [5, 6]]], [0], {}, [2], 11], // one vector, no bias
  ["linear", [[[1, 2]], [[3, 4], [5, 6]], [0, 0]], [1, 0, 0], { heads: 2 }, [2, 1, 1], 17], // head 1, its row 0 is row 1 of W
  ["rotate", [[[[1, 2, 3, 4]]], [[0.5, 0.5, 0.5, 0.5]], [[-1, -1, 1, 1]]], [0, 0, 0], {}, [1, 1, 4], 0.5 - 3],
  ["rotate", [[[[1, 2, 3, 4]]], [[0.5, 0.5, 0.5, 0.5]], [[-1, -1, 1, 1]]], [0, 0, 3], {}, [1, 1, 4], 2 + 2],
  ["dot", [[[[1, 2]], [[3, 4]]], [[[5, 6], [7, 8]]]], [1, 0, 1], { group: 2 }, [2, 1, 2], 53], // both heads share one key head
  ["softcap", [[[2]]], [0, 0], { cap: 4 }, [1, 1], 4 * Math.tanh(0.5)],
  ["mask", [[[[1, 2]]], { of: [[1, 0]], dtype: "u8" }], [0, 0, 0], {}, [1, 1, 2], 1],
  ["mask", [[[[1, 2]]], { of: [[1, 0]], dtype: "u8" }], [0, 0, 1], {}, [1, 1, 2], LOWEST],
  ["softmax", [[[2.5, -1.0, 0.5, -0.2, 1.8]]], [0, 0], {}, [1, 5], 0.5782608],
  ["softmax", [[[2.5, -1.0, 0.5, -0.2, 1.8]]], [0, 4], {}, [1, 5], 0.2871558],
  ["softmax", [[[1000, 1000]]], [0, 1], {}, [1, 2], 0.5],
  ["mix", [[[[0.25, 0.75]]], [[[4, 0], [8, 1]]]], [0, 0, 0], { group: 1 }, [1, 1, 2], 7],
  ["concat", [[[[1, 2]], [[3, 4]]]], [0, 2], {}, [1, 4], 3],
  ["multiply", [[[2, 3]], [[5, 7]]], [0, 1], {}, [1, 2], 21],
  ["pick", [[[1, 2], [3, 4]]], [1], { row: 1 }, [2], 4],
  ["relu", [[[-2, 3]]], [0, 0], {}, [1, 2], 0],
  ["gelu", [[[1]]], [0, 0], {}, [1, 1], 0.8413447],
  ["gelu_tanh", [[[1]]], [0, 0], {}, [1, 1], 0.8411920],
  ["silu", [[[1]]], [0, 0], {}, [1, 1], 1 / (1 + Math.exp(-1))],
  ["tanh", [[[0.5]]], [0, 0], {}, [1, 1], Math.tanh(0.5)],
  ["total", [[[1, 2, 3], [4, 5, 6]]], [1], {}, [2], 15],
  ["nll", [[[0.5, 0.25]]], [0], { labels: [1] }, [1], Math.log(4)],
  ["nll", [[0.5]], [0], { labels: [7] }, [1], Math.log(2)],
  ["mean", [[1, 2, 6]], [0], {}, [1], 3],
];

for (const [op, inputs, index, attrs, shape, wanted] of CASES) {
  test(`${op} ${JSON.stringify(attrs)} at ${index}`, () => {
    const { value, terms } = made(op, inputs, index, attrs, shape);
    if (wanted === LOWEST) assert.equal(value, LOWEST);
    else near(value, wanted);
    assert.ok(terms, "an equation");
  });
}

test("every operation has a case", () => assert.deepEqual(Object.keys(OPS).filter((op) => !CASES.some((one) => one[0] === op)), []));

test("the terms of a sum add up to the element", () => {
  const { value, terms } = made("linear", [[[1, 2]], [[3, 4], [5, 6]], [0.5, 0.25]], [0, 1], {}, [1, 2]);
  const sum = terms.rows.reduce((total, row) => total + row.factors.reduce((product, one) => product * one.value, 1), 0);
  near(sum, value);
  assert.deepEqual(terms.rows.map((row) => row.factors.map((one) => `${one.name}[${one.index}]`)), [["in0[0,0]", "in1[1,0]"], ["in0[0,1]", "in1[1,1]"], ["in2[1]"]]);
});

test("an element whose operands did not travel is not recomputed", () => {
  const trace = traceOf({ x: [[1, 2]], w: { of: [[3, 4]], shape: [5, 2], keep: [[2], null] }, out: [[0, 0, 0, 0, 0]] }, [{ op: "linear", out: "out", in: ["x", "w"] }]);
  near(recompute(trace, "out", [0, 2]).value, 11);
  assert.equal(recompute(trace, "out", [0, 1]).value, undefined);
  assert.equal(recompute(trace, "out", [0, 1]).terms, null);
});

test("a hidden token needs no value: its weight is 0", () => {
  const v = { of: [[[4]]], shape: [1, 2, 1], keep: [null, [0], null] };
  const trace = (weights) => traceOf({ weights: [[weights]], v, out: [[[0]]] }, [{ op: "mix", out: "out", in: ["weights", "v"], attrs: { group: 1 } }]);
  near(recompute(trace([1, 0]), "out", [0, 0, 0]).value, 4);
  assert.equal(recompute(trace([0.5, 0.5]), "out", [0, 0, 0]).value, undefined);
});

test("the error function at known places", () => {
  for (const [x, y] of [[0, 0], [0.5, 0.5204998778], [1, 0.8427007929], [-2, -0.9953222650]]) near(erf(x), y);
});

// Small traces for the tests: tensors as nested lists, and one step.
import { Trace } from "../src/payload.js";

const flat = (value) => (Array.isArray(value) ? value.flatMap(flat) : [value]);
const shapeOf = (value) => (Array.isArray(value) ? [value.length, ...shapeOf(value[0])] : []);

/** tensors: {name: nested list, or {of, keep, shape, dtype}}. */
export function traceOf(tensors, steps = []) {
  const index = { steps: steps.map((step) => ({ attrs: {}, part: "x", ...step })), sides: {}, pictures: {}, tensors: {} };
  const blobs = [];
  let at = 0;
  for (const [name, given] of Object.entries(tensors)) {
    const { of, keep, shape, dtype = "f32" } = Array.isArray(given) ? { of: given } : given;
    const numbers = flat(of);
    const bytes = new Uint8Array((dtype === "u8" ? Uint8Array : Float32Array).from(numbers).buffer);
    index.tensors[name] = { shape: shape || shapeOf(of), keep, dtype, at, count: numbers.length };
    blobs.push([at, bytes]);
    at += Math.ceil(bytes.length / 4) * 4;
  }
  const whole = new Uint8Array(at);
  for (const [place, bytes] of blobs) whole.set(bytes, place);
  return new Trace(index, whole.buffer);
}

// Every step recomputed from the previous one, a slice at a time; the bytes of each tensor against their checksum.
import { OPS, operands } from "./ops.js";
import { crc32 } from "./payload.js";

export const agrees = (made, stored) => Math.abs(made - stored) <= 1e-4 * Math.max(1, Math.abs(stored));

/** Every combination of the leading indices that are in the file. */
function* leads(tensor, axis = 0, lead = []) {
  if (axis === tensor.last) { yield lead; return; }
  for (const index of tensor.indices(axis)) yield* leads(tensor, axis + 1, [...lead, index]);
}

/** Yields after each row, so that the caller can pause; fills `result`. */
export function* checking(trace, result) {
  for (const [name, meta] of Object.entries(trace.index.tensors)) {
    if (meta.crc === undefined || meta.crc === null) continue;
    const size = meta.count * (meta.dtype === "u8" ? 1 : 4);
    if (crc32(new Uint8Array(trace.buffer, meta.at, size)) !== meta.crc >>> 0) { result.bad++; result.broken.push(name); }
    yield;
  }
  for (const step of trace.index.steps) {
    const tensor = trace.get(step.out);
    const ins = tensor && operands(trace, step);
    if (!ins) continue;
    const columns = tensor.indices(tensor.last);
    const out = new Float64Array(tensor.width);
    const have = new Uint8Array(tensor.width);
    const kind = (result.kinds[step.op] ||= { checked: 0, bad: 0, largest: 0 });
    for (const lead of leads(tensor)) {
      have.fill(0);
      OPS[step.op].row(ins, step.attrs || {}, lead, columns, out, have);
      const start = tensor.start(lead);
      for (let place = 0; place < columns.length; place++) {
        const c = columns[place];
        if (!have[c]) continue;
        const stored = tensor.data[start + place];
        kind.checked++;
        result.checked++;
        const off = Math.abs(out[c] - stored) / Math.max(1, Math.abs(stored));
        if (off > kind.largest) kind.largest = off;
        if (!agrees(out[c], stored)) {
          kind.bad++;
          result.bad++;
          if (result.first.length < 20) result.first.push({ name: step.out, index: [...lead, c] });
        }
      }
      yield;
    }
  }
}

export const emptyResult = () => ({ checked: 0, bad: 0, kinds: {}, first: [], broken: [], done: false });

const pause = () => new Promise((resolve) => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => { channel.port1.close(); resolve(); };
  channel.port2.postMessage(0);
});

/** Resolves to {checked, bad, kinds, first, broken}; `progress` is told about it after each slice of `slice` ms. */
export async function verify(trace, { progress = () => {}, slice = 12, wait = pause } = {}) {
  const result = emptyResult();
  const work = checking(trace, result);
  let until = performance.now() + slice;
  let told = 0;
  for (let next = work.next(); !next.done; next = work.next()) {
    if (performance.now() < until) continue;
    if (performance.now() - told > 150) { progress(result); told = performance.now(); }
    await wait();
    until = performance.now() + slice;
  }
  result.done = true;
  progress(result);
  return result;
}

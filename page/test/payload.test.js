// Base64 and gzip to tensors; tensors of which only some rows travelled.
import test from "node:test";
import assert from "node:assert/strict";
import { gzipSync, crc32 as zlibCrc } from "node:zlib";
import { bytesOf, gunzip, Tensor, Trace, crc32 } from "../src/payload.js";

const buffer = (...numbers) => new Float32Array(numbers).buffer;

test("base64 and gzip give the bytes back", async () => {
  const plain = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) & 255);
  const packed = gzipSync(plain).toString("base64");
  assert.deepEqual(new Uint8Array(await gunzip(bytesOf(`\n${packed}\n`))), plain);
});

test("bytes that are no gzip are taken as they are", async () => {
  assert.deepEqual([...new Uint8Array(await gunzip(Uint8Array.of(1, 2, 3)))], [1, 2, 3]);
});

test("a whole tensor gives each of its numbers", () => {
  const tensor = new Tensor("x", { shape: [2, 3], dtype: "f32", at: 0, count: 6 }, buffer(0, 1, 2, 10, 11, 12));
  assert.equal(tensor.at([1, 2]), 12);
  assert.deepEqual([...tensor.row([1])], [10, 11, 12]);
  assert.equal(tensor.at([2, 0]), undefined);
  assert.equal(tensor.at([0, 3]), undefined);
  assert.equal(tensor.at([-1, 0]), undefined);
});

test("a kept row is found under its own index, and others are not there", () => {
  const meta = { shape: [2, 5, 3], keep: [null, [1, 4], null], dtype: "f32", at: 0, count: 12 };
  const tensor = new Tensor("x", meta, buffer(...Array.from({ length: 12 }, (_, i) => i)));
  assert.equal(tensor.at([0, 1, 0]), 0);
  assert.equal(tensor.at([0, 4, 2]), 5);
  assert.equal(tensor.at([1, 4, 0]), 9);
  assert.equal(tensor.at([1, 2, 0]), undefined);
  assert.equal(tensor.row([0, 0]), null);
  assert.deepEqual(tensor.indices(1), [1, 4]);
});

test("kept columns: single numbers, but no whole row", () => {
  const tensor = new Tensor("x", { shape: [1, 6], keep: [null, [2, 5]], dtype: "f32", at: 0, count: 2 }, buffer(7, 8));
  assert.equal(tensor.at([0, 5]), 8);
  assert.equal(tensor.at([0, 3]), undefined);
  assert.equal(tensor.row([0]), null);
});

test("tensors begin where the index says, each with its own kind of number", () => {
  const bytes = new ArrayBuffer(12);
  new Float32Array(bytes, 0, 1)[0] = 0.5;
  new Uint8Array(bytes, 4, 2).set([1, 0]);
  new Int32Array(bytes, 8, 1)[0] = -3;
  const index = { steps: [], sides: {}, pictures: {}, tensors: {
    a: { shape: [1], dtype: "f32", at: 0, count: 1 }, b: { shape: [2], dtype: "u8", at: 4, count: 2 }, c: { shape: [1], dtype: "i32", at: 8, count: 1 } } };
  const trace = new Trace(index, bytes);
  assert.deepEqual([trace.at("a", [0]), trace.at("b", [0]), trace.at("b", [1]), trace.at("c", [0])], [0.5, 1, 0, -3]);
  assert.equal(trace.get("d"), null);
  assert.equal(trace.first("d", "b", "a"), "b");
});

test("a picture's cell is the square of its code times its row's maximum", () => {
  const bytes = Uint8Array.of(0, 0, 0, 0, 255, 128, 0, 51).buffer;
  const trace = new Trace({ steps: [], sides: {}, tensors: {}, pictures: {} }, bytes);
  const { values } = trace.picture({ shape: [2, 2, 2], at: 0, max: [1, 1, 0.5, 1] }, 1);
  assert.deepEqual([...values].map((x) => x.toFixed(4)), ["0.5000", "0.1260", "0.0000", "0.0400"]);
});

test("the checksum is zlib's", () => {
  for (const size of [0, 1, 3, 4, 5, 1023]) {
    const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 31 + size) & 255);
    if (zlibCrc) assert.equal(crc32(bytes), zlibCrc(bytes));
  }
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
});

// State in the address, rows of long tables, exports, and texts that a screen can't show.
import test from "node:test";
import assert from "node:assert/strict";
import { readHash, writeHash, fitted } from "../src/hash.js";
import { visibleRows, asCsv, asMarkdown, asJson } from "../src/table.js";
import { visible, short } from "../src/dom.js";
import { ramp } from "../src/picture.js";
import { asPrinted } from "../src/seed.js";
import { badgeText } from "../src/bar.js";
import { app } from "../src/app.js";

const index = { lang: "pl", focus: { enc: [2] }, sides: { enc: { tokens: [{}, {}, {}], layers: 2, heads: 4 } } };

test("a view goes into the address and comes back", () => {
  const state = { t: 2, l: 1, h: 3, s: "enc", lang: "en" };
  assert.equal(writeHash(state), "#t=2&l=1&h=3&s=enc&lang=en");
  assert.deepEqual(readHash(writeHash(state)), state);
});

test("what an address can't say is left out", () => {
  assert.deepEqual(readHash("#t=-1&l=x&h=1e9&s=<b>&lang=pl&foo=1"), { lang: "pl" });
});

test("a state is fitted to the trace", () => {
  const made = fitted({ t: 99, l: 7, h: 9, s: "dec", lang: "fr" }, index);
  assert.deepEqual([made.t, made.l, made.h, made.s, made.lang], [2, 1, 3, "enc", "pl"]);
  assert.equal(fitted({}, index).t, 2);
});

test("only rows in sight are made, with some to spare", () => {
  assert.deepEqual(visibleRows(0, 320, 512), [0, 18]);
  assert.deepEqual(visibleRows(3200, 320, 512), [92, 118]);
  assert.deepEqual(visibleRows(512 * 32, 320, 512), [504, 512]);
  assert.deepEqual(visibleRows(0, 320, 5), [0, 5]);
});

test("CSV and Markdown keep commas, quotes, bars and line ends in their cells", () => {
  assert.equal(asCsv(["a", "b"], [["x,y", 'say "z"'], ["1\n2", ""]]), 'a,b\r\n"x,y","say ""z"""\r\n"1\n2",\r\n');
  assert.equal(asMarkdown(["a"], [["x|y\nz"]]), "| a |\n| --- |\n| x\\|y z |\n");
  assert.deepEqual(JSON.parse(asJson(["a", "b"], [["1", "</script>"]])), [{ a: "1", b: "</script>" }]);
});

test("signs that can't be seen are shown, and long texts are cut", () => {
  assert.equal(visible("a\u0000b\n"), "a␀b␊");
  assert.equal(visible("\u202Eabc"), "⟨202E⟩abc");
  assert.equal(visible("x".repeat(10000)), `${"x".repeat(48)}… (10000)`);
  assert.equal(short("👩‍👩‍👧", 3), "👩\u200d…");
});

test("a colour table ends where its stops say", () => {
  const table = ramp([[0, 0, 0], [255, 128, 0]]);
  assert.equal(table[0], 0xff000000);
  assert.equal(table[255], 0xff0080ff);
});

test("a number is shown with the digits that the text prints", () => {
  assert.equal(asPrinted(0.30000001192, "0.3"), "0.3");
  assert.equal(asPrinted(-0.09999999, "-0.1"), "-0.1");
  assert.equal(asPrinted(-0.0000001, "0.00"), "0.00");
});

test("the badge says in both languages what was found", () => {
  app.trace = { index };
  app.state = { lang: "pl" };
  assert.equal(badgeText({ checked: 1284, bad: 0, done: true }), "✓ 1\u202f284 liczby sprawdzone, 0 niezgodnych");
  assert.equal(badgeText({ checked: 1284, bad: 1, done: true }), "✗ 1\u202f284 liczby sprawdzone, 1 niezgodna");
  app.state = { lang: "en" };
  assert.equal(badgeText({ checked: 1284, bad: 2, done: true }), "✗ 1,284 numbers checked, 2 mismatches");
});

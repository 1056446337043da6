// The dictionary: both columns, the same places to fill, and each word that the page asks for.
import test from "node:test";
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { WORDS, SAME } from "../src/words.js";
import { plural, count, percent, digits } from "../src/number.js";

const entries = Object.entries(WORDS);
const sources = readdirSync(new URL("../src/", import.meta.url)).filter((name) => name !== "words.js").map((name) => readFileSync(new URL(`../src/${name}`, import.meta.url), "utf8")).join("\n");

test("each key has a Polish and an English text", () => {
  for (const [key, texts] of entries) {
    assert.equal(texts.length, 2, key);
    for (const text of texts) assert.ok(text.trim(), key);
  }
});

test("no text is the same in both languages unless allowed", () => {
  const same = entries.filter(([key, [pl, en]]) => pl.trim() === en.trim() && !SAME.includes(key)).map(([key]) => key);
  assert.deepEqual(same, []);
  assert.deepEqual(SAME.filter((key) => WORDS[key]?.[0].trim() !== WORDS[key]?.[1].trim()), []);
});

test("both texts of a key have the same places to fill", () => {
  const places = (text) => [...new Set(text.match(/\{\d\}/g) || [])].sort().join();
  assert.deepEqual(entries.filter(([, [pl, en]]) => places(pl) !== places(en)).map(([key]) => key), []);
});

test("every word that the page asks for is there", () => {
  const asked = [...sources.matchAll(/\bapp\.w\(\s*"([^"]+)"/g), ...sources.matchAll(/app\.many\([^"]*"([^"]+)"/g), ...sources.matchAll(/title: "(s_[a-z]+)"/g)].map((match) => match[1]);
  assert.ok(asked.length > 150);
  assert.deepEqual(asked.filter((key) => !WORDS[key]), []);
});

test("every word that is there is asked for", () => {
  const heads = [...sources.matchAll(/app\.w\(`([a-z]+_)\$\{/g)].map((match) => match[1]);
  const unused = entries.map(([key]) => key).filter((key) => !sources.includes(`"${key}"`) && !heads.some((head) => key.startsWith(head)));
  assert.deepEqual(unused, []);
});

test("Polish has its three forms", () => {
  const forms = { one: "token", few: "tokeny", many: "tokenów", other: "tokenów" };
  const said = [1, 2, 4, 5, 11, 12, 21, 22, 25, 112, 122].map((n) => plural(n, forms, "pl"));
  assert.deepEqual(said, ["token", "tokeny", "tokeny", "tokenów", "tokenów", "tokenów", "tokenów", "tokeny", "tokenów", "tokenów", "tokeny"]);
  assert.equal(plural(1, { one: "token", other: "tokens" }, "en"), "token");
  assert.equal(plural(2, { one: "token", other: "tokens" }, "en"), "tokens");
});

test("every counted word has three Polish and two English forms", () => {
  for (const [key, [pl, en]] of entries.filter(([key]) => key.startsWith("n_"))) {
    assert.equal(pl.split("|").length, 3, key);
    assert.equal(en.split("|").length, 2, key);
  }
});

test("counts follow the language, numbers in vectors keep the point", () => {
  assert.equal(count(12345, "en"), "12,345");
  assert.equal(count(12345, "pl"), "12\u202f345");
  assert.match(percent(0.4213, "pl"), /^42,1\s?%$/);
  assert.equal(digits(-0.87), "-0.8700");
  assert.equal(digits(0.000012), "1.20e-5");
  assert.equal(digits(undefined), "·");
});

// Bundles src and style into the two files that travel in the wheel; their first line is the hash of the sources.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = fileURLToPath(new URL(".", import.meta.url));
const target = fileURLToPath(new URL("../src/osnowa/explain/assets/", import.meta.url));

const list = (folder, end) => readdirSync(here + folder).filter((name) => name.endsWith(end)).map((name) => `${folder}/${name}`);
const sources = [...list("src", ".js"), ...list("style", ".css")].sort();
const hash = createHash("sha256");
for (const name of sources) hash.update(`${name}\0`).update(readFileSync(here + name)).update("\0");
const digest = hash.digest("hex");

mkdirSync(target, { recursive: true });
const made = { minify: true, bundle: true, charset: "utf8", write: false, legalComments: "none" };
const script = await build({ ...made, entryPoints: [`${here}src/main.js`], format: "iife", target: "es2022" });
const style = await build({ ...made, entryPoints: [`${here}style/page.css`], target: ["chrome123", "firefox120", "safari17.5"] });
// The script travels packed: the page's policy names the hash of this file and, from its first line, of what it unpacks.
const inner = script.outputFiles[0].text.trim();
const unpacked = createHash("sha256").update(inner).digest("base64");
const loader = `(async()=>{const b=Uint8Array.from(atob("${gzipSync(inner, { level: 9, memLevel: 9 }).toString("base64")}"),c=>c.charCodeAt(0)),s=document.createElement("script");s.text=await new Response(new Blob([b]).stream().pipeThrough(new DecompressionStream("gzip"))).text();document.head.append(s)})().catch(e=>document.getElementById("app").append(String(e)))`;
const files = { "page.js": `// sha256 of the sources: ${digest}; unpacks: sha256-${unpacked}\n${loader}\n`, "page.css": `/* sha256 of the sources: ${digest} */\n${style.outputFiles[0].text}` };
let size = 0;
for (const [name, text] of Object.entries(files)) {
  writeFileSync(target + name, text);
  size += Buffer.byteLength(text);
}
console.log(`page.js + page.css: ${size} bytes of 80000 (unpacked ${Buffer.byteLength(inner) + Buffer.byteLength(style.outputFiles[0].text)})`);
if (size >= 80000) process.exit(1);

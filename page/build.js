// Bundles src and style into the two files that travel in the wheel; their first line is the hash of the sources.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = fileURLToPath(new URL(".", import.meta.url));
const target = fileURLToPath(new URL("../src/osnowa/explain/assets/", import.meta.url));

// Four bytes as five of 85 signs that need no escape in a string, nor in HTML.
const ALPHABET = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).filter((c) => !"\"\\<'`$&".includes(c)).slice(0, 85).join("");

function as85(bytes) {
  const whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  whole.set(bytes);
  const view = new DataView(whole.buffer);
  let text = "";
  for (let at = 0; at < whole.length; at += 4) {
    let n = view.getUint32(at);
    let five = "";
    for (let k = 0; k < 5; k++, n = Math.floor(n / 85)) five = ALPHABET[n % 85] + five;
    text += five;
  }
  return text;
}

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
const packed = gzipSync(inner, { level: 9, memLevel: 9 });
const loader = `(async()=>{const a=${JSON.stringify(ALPHABET)},t="${as85(packed)}",b=new Uint8Array(t.length/5*4),v=new DataView(b.buffer);for(let i=0,n=0;i<t.length;n=n*85+a.indexOf(t[i++]),i%5||(v.setUint32(i/5*4-4,n),n=0));const s=document.createElement("script");s.text=await new Response(new Blob([b.subarray(0,${packed.length})]).stream().pipeThrough(new DecompressionStream("gzip"))).text();document.head.append(s)})().catch(e=>document.getElementById("app").append(String(e)))`;
const files = { "page.js": `// sha256 of the sources: ${digest}; unpacks: sha256-${unpacked}\n${loader}\n`, "page.css": `/* sha256 of the sources: ${digest} */\n${style.outputFiles[0].text}` };
let size = 0;
for (const [name, text] of Object.entries(files)) {
  writeFileSync(target + name, text);
  size += Buffer.byteLength(text);
}
console.log(`page.js + page.css: ${size} bytes of 80000 (unpacked ${Buffer.byteLength(inner) + Buffer.byteLength(style.outputFiles[0].text)})`);
if (size >= 80000) process.exit(1);

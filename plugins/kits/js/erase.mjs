// Makes JavaScript of a plugin's TypeScript by putting blanks where types were: every line keeps its number, so that an
// error's stack names the author's own. Types are tsc's to check, before. What is JavaScript already is copied.
//
//     node erase.mjs ROOT OUT FILE...

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import erased from "ts-blank-space";

const [root, out, ...files] = process.argv.slice(2);
for (const file of files) {
  const text = readFileSync(file, "utf8");
  const to = join(out, relative(root, file)).replace(/\.ts$/, ".js");
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, file.endsWith(".ts") ? erased(text) : text);
}

// Before packing, removes from package.json the Node that only this repository needs. After packing, restores the file.
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

const manifest = new URL("../package.json", import.meta.url);
const kept = new URL("../package.json.kept", import.meta.url);

/**
 * `openai` needs a newer Node than the client does (`troupe/client`), and yarn 1 installs nothing if the Node is too old
 * for a required package. Only the server needs it, and says so if it is missing.
 */
const optional = ["openai"];

if (process.argv.includes("--restore")) {
  if (existsSync(kept)) renameSync(kept, manifest);
} else {
  copyFileSync(manifest, kept);
  const {
    optionalDependencies: _,
    devDependencies: __,
    scripts: ___,
    // `bin/require-node.js` checks the version instead. Here it would keep the client from being installed with an older
    // Node.
    engines: ____,
    dependencies,
    ...published
  } = JSON.parse(readFileSync(manifest, "utf8"));
  const isOptional = ([name]) => optional.includes(name);
  const all = Object.entries(dependencies);
  const divided = {
    ...published,
    dependencies: Object.fromEntries(all.filter((entry) => !isOptional(entry))),
    optionalDependencies: Object.fromEntries(all.filter(isOptional)),
  };
  writeFileSync(manifest, `${JSON.stringify(divided, null, 2)}\n`);
}

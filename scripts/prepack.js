// Before packing, package.json loses what only this repository needs (the Node that it brings along); after packing it is put back.
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

const manifest = new URL("../package.json", import.meta.url);
const kept = new URL("../package.json.kept", import.meta.url);

/**
 * Needs a newer Node than the client does (`troupe/client`), and yarn 1 installs nothing where the Node is too old for a package that is
 * not optional. Only the server needs it, and says what it needs.
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
    // `bin/require-node.js` says it instead: here it would keep the client from being installed beside an older Node.
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

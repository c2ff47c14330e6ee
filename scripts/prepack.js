// Before packing, package.json loses what only this repository needs (the Node that it brings along); after packing it is put back.
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

const manifest = new URL("../package.json", import.meta.url);
const kept = new URL("../package.json.kept", import.meta.url);

if (process.argv.includes("--restore")) {
  if (existsSync(kept)) renameSync(kept, manifest);
} else {
  copyFileSync(manifest, kept);
  const {
    optionalDependencies: _,
    devDependencies: __,
    scripts: ___,
    ...published
  } = JSON.parse(readFileSync(manifest, "utf8"));
  writeFileSync(manifest, `${JSON.stringify(published, null, 2)}\n`);
}

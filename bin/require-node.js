import { existsSync } from "node:fs";

/** True in a clone of the repository, false in the published package. */
const isClone = existsSync(new URL("../src/cli.ts", import.meta.url));
const advice = isClone
  ? "see https://nodejs.org, or `npm install` here, after which `npm start` brings its own"
  : "see https://nodejs.org, or `npm install node@24` here and start it by `npx troupe`";

/** Ends the process with one clear line if Node is too old to run the sources. The line starts with the name of the command. */
export function requireNode(/** @type {string} */ what) {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 24 || (major === 24 && minor >= 15)) return;
  console.error(`${what}: needs Node 24.15 or newer, this is ${process.versions.node} (${advice})`);
  process.exit(1);
}

import { existsSync } from "node:fs";

/** A clone of the repository, and not the package that is made of it. */
const isClone = existsSync(new URL("../src/cli.ts", import.meta.url));
const advice = isClone
  ? "see https://nodejs.org, or `npm install` here, after which `npm start` brings its own"
  : "see https://nodejs.org, or `npm install node@24` here and start it by `npx troupe`";

/**
 * Ends the process with one clear line where Node is too old to run the sources.
 * @param {string} what the command that needs it
 */
export function requireNode(what) {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 24 || (major === 24 && minor >= 15)) return;
  console.error(`${what}: needs Node 24.15 or newer, this is ${process.versions.node} (${advice})`);
  process.exit(1);
}

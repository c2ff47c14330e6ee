/**
 * Ends the process with one clear line where Node is too old to run the sources.
 * @param {string} what the command that needs it
 */
export function requireNode(what) {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 24 || (major === 24 && minor >= 15)) return;
  console.error(
    `${what}: needs Node 24.15 or newer, this is ${process.versions.node} (run it through npm after \`npm ci\`, which brings its own, or see https://nodejs.org)`,
  );
  process.exit(1);
}

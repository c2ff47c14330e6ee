// Plain JavaScript in an old dialect on purpose: it must load even on a Node that is too old, to say so in one line.
import { requireNode } from "../bin/require-node.js";

requireNode("npm run mutants");

const { main } = await import("./mutants/run-mutants.ts");
process.exitCode = await main(process.argv.slice(2), process.env);

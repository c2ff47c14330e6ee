// Plain JavaScript of an old dialect on purpose: it must at least load on a Node that is too old, to say so in one line.
import { requireNode } from "../bin/require-node.js";

requireNode("npm run walk");

const { main } = await import("./walk/print-walks.ts");
process.exitCode = await main(process.argv.slice(2));

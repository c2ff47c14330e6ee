// Plain JavaScript in an old dialect on purpose: it must load even on a Node that is too old, to say so in one line.
import { requireNode } from "../bin/require-node.js";

requireNode("npm run fault-kinds");

const { main } = await import("./fault-kinds/run-fault-kinds.ts");
process.exitCode = await main(process.env);

// Plain JavaScript in an old dialect on purpose: it must load even on a Node that is too old, to say so in one line.
import { requireNode } from "../bin/require-node.js";

requireNode("npm run cluster");

const { main } = await import("./cluster/run-cluster.ts");
process.exitCode = await main(process.env);

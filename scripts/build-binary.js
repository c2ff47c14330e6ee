// Plain JavaScript in an old dialect on purpose: it must load even on a Node that is too old, to say so in one line.
import { requireNode } from "../bin/require-node.js";

requireNode("npm run build:binary");

const { main } = await import("./build-binary.ts");
await main();

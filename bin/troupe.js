#!/usr/bin/env node
// Plain, old JavaScript on purpose: a Node that is too old must still load this file, and say so in one line.
import { existsSync } from "node:fs";
import { setGarbageCollection } from "./garbage-collection.js";
import { requireNode } from "./require-node.js";

requireNode("troupe");
setGarbageCollection();

const source = new URL("../src/cli.ts", import.meta.url);
const built = new URL("../dist/cli.js", import.meta.url);
const { main } = await import((existsSync(source) ? source : built).href).catch((error) => {
  // The installation left packages out, such as optional ones.
  const missing = /^Cannot find package '([^']+)'/.exec(error.message);
  if (missing === null) throw error;
  console.error(
    `troupe: the package ${missing[1]} is not installed; install again, with the optional packages`,
  );
  process.exit(1);
});
await main(process.argv.slice(2), process.env);

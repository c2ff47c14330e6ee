import { after, describe, it } from "node:test";
import { cellsOf, nameOf } from "./fault-cell.ts";
import { createFaultStage } from "./fault-stage.ts";
import { playCell } from "./play-cell.ts";
import { otherVendors } from "./vendors/other-vendors.ts";

// A part of the matrices of the other APIs, which `npm run test:long` plays whole: every shape at every moment with one
// lane, and some very different shapes with several.
const severalLanes = new Set(["http-429-pause", "error-event", "reset", "stall", "finish-length"]);

for (const vendor of otherVendors) {
  const stage = await createFaultStage({ vendor });
  const cells = [
    ...cellsOf(vendor.shapes, ["openai_chat"]),
    ...cellsOf(
      vendor.shapes.filter(({ name }) => severalLanes.has(name)),
      ["chat", "multi_chat, 1 of 3"],
    ),
  ];
  describe(`faults of ${vendor.name}`, { concurrency: 8, timeout: 60_000 }, () => {
    after(() => stage[Symbol.asyncDispose]());
    for (const cell of cells) it(nameOf(cell), async () => void (await playCell(cell, stage)));
  });
}

import { after, describe, it } from "node:test";
import { faultShapes } from "../doubles/fault-shapes.ts";
import { cellsOf, nameOf, requestKinds } from "../faults/fault-cell.ts";
import { createFaultStage } from "../faults/fault-stage.ts";
import { playCell } from "../faults/play-cell.ts";

const stage = await createFaultStage();
const cells = cellsOf(faultShapes, requestKinds);
const seen = new Map();

describe("the fault matrix", { concurrency: 8 }, () => {
  after(() => stage[Symbol.asyncDispose]());
  for (const cell of cells) {
    it(nameOf(cell), { timeout: 30_000 }, async () => {
      seen.set(cell, await playCell(cell, stage));
    });
  }
});

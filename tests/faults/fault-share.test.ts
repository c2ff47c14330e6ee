import { after, describe, it } from "node:test";
import { faultShapes } from "../doubles/fault-shapes.ts";
import { cellsOf, nameOf } from "./fault-cell.ts";
import { createFaultStage } from "./fault-stage.ts";
import { playCell } from "./play-cell.ts";

// A part of the whole matrix, which `npm run test:long` plays: every shape at its first moment, and every moment of five
// very different shapes with several lanes.
const severalLanes = new Set([
  "http-429-rate-limit-retry-after",
  "response-failed-server-error",
  "reset",
  "stall",
  "incomplete-length",
]);
const cells = [
  ...cellsOf(faultShapes, ["openai_chat"]).filter(({ shape, moment }) => moment === shape.moments[0]),
  ...cellsOf(
    faultShapes.filter(({ name }) => severalLanes.has(name)),
    ["multi_chat, 1 of 3", "multi_chat, 3 of 3"],
  ),
];
const stage = await createFaultStage();

describe("a share of the fault matrix", { concurrency: 8, timeout: 60_000 }, () => {
  after(() => stage[Symbol.asyncDispose]());
  for (const cell of cells) it(nameOf(cell), async () => void (await playCell(cell, stage)));
});

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { passLoopTurns } from "../faults/fault-bench.ts";
import { cellsOf, type FaultCell, nameOf, requestKinds } from "../faults/fault-cell.ts";
import { createFaultStage } from "../faults/fault-stage.ts";
import { formatFaultTable } from "../faults/fault-table.ts";
import { playCell } from "../faults/play-cell.ts";
import { responsesVendor } from "../faults/vendors/fault-vendor.ts";
import { otherVendors } from "../faults/vendors/other-vendors.ts";
import { socketVendor } from "../faults/vendors/socket-vendor.ts";

// The whole fault matrix: every shape of every API, with every request kind, at every moment, through the real server over
// real sockets.
for (const vendor of [responsesVendor, socketVendor, ...otherVendors]) {
  const cells = cellsOf(vendor.shapes, requestKinds);
  const outcomes = new Map<FaultCell, string>();
  const stage = await createFaultStage({ vendor });

  describe(`the fault matrix of ${vendor.name}`, { concurrency: 8 }, () => {
    after(async () => {
      await passLoopTurns();
      const { turns, connections } = stage.server.troupe.stats();
      const upstreamConnections = stage.double.openConnections();
      await stage[Symbol.asyncDispose]();
      const table = formatFaultTable(cells, (cell) => outcomes.get(cell) ?? "FAILED");
      console.log(
        `\n${vendor.name}: error codes without their "upstream_", finish reasons, "·" where a shape has no such moment:\n`,
      );
      console.log(`${table}\n\n${cells.length} cells, ${cells.length - outcomes.size} failed\n`);
      const left = { turns, connections, upstreamConnections };
      assert.deepEqual(left, { turns: 0, connections: 0, upstreamConnections: 0 });
    });
    for (const cell of cells) {
      it(nameOf(cell), { timeout: 60_000 }, async () => {
        outcomes.set(cell, await playCell(cell, stage));
      });
    }
  });
}

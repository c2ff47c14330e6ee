import assert from "node:assert/strict";
import { it } from "node:test";
import { faultShapes } from "../doubles/fault-shapes.ts";
import { cellsOf, requestKinds } from "./fault-cell.ts";
import { formatFaultTable } from "./fault-table.ts";

it("has a row per shape, a column per kind and moment, and a dot if there is nothing to play", () => {
  const shapes = faultShapes.filter(({ name }) => name === "http-500" || name === "reset");
  const cells = cellsOf(shapes, requestKinds);
  const table = formatFaultTable(cells, ({ shape, kind }) =>
    kind === "chat" ? "upstream_x" : (shape.expect.code ?? ""),
  );
  const [kinds = "", moments = "", ...rows] = table.split("\n");
  assert.deepEqual(kinds.trim().split(/ {2,}/), [...requestKinds]);
  assert.deepEqual(moments.split(/ +/).slice(0, 4), ["shape", "before", "middle", "last"]);
  assert.equal(moments.split(/ +/).length, 1 + 3 * requestKinds.length);
  const failed = ["error", "·", "·"];
  const broken = Array.from({ length: 3 }, () => "disconnected");
  assert.deepEqual(
    rows.map((row) => row.split(/ +/)),
    [
      ["http-500", ...failed, "x", "·", "·", ...failed, ...failed],
      ["reset", ...broken, "x", "x", "x", ...broken, ...broken],
    ],
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { HeadMoves } from "../../../src/adapters/sqlite/sqlite-store.ts";

test("a move is known to every read before it, for its own conversation", () => {
  const moves = new HeadMoves();
  const before = moves.version;
  moves.note("one");
  const after = moves.version;
  assert.deepEqual(
    [
      moves.hasMovedSince(before, "one"),
      moves.hasMovedSince(before, "two"),
      moves.hasMovedSince(after, "one"),
    ],
    [true, false, false],
  );
});

test("moves are forgotten after a while, and then no read before them counts as current", () => {
  const moves = new HeadMoves();
  const before = moves.version;
  moves.note("one");
  for (let number = 0; number < 20_000; number += 1) moves.note(`other ${number}`);
  assert.deepEqual(
    [moves.hasMovedSince(before, "one"), moves.hasMovedSince(before, "never moved")],
    [true, true],
  );
  assert.equal(moves.hasMovedSince(moves.version, "one"), false);
});

import assert from "node:assert/strict";
import { it } from "node:test";
import { endings } from "./endings.ts";
import { playEndings } from "./play-endings.ts";

/** A leaked text has a million bytes. Other changes of the heap are smaller than this. */
const maxBytes = 500_000;

it("requests of 1 MB leave none of their text in memory, with any end", async (test) => {
  const names = Object.keys(endings);
  const played = await playEndings(names, { requests: 8, looks: 2, warmUps: 0 });
  assert.deepEqual(
    played.map(({ name }) => name),
    names,
  );
  const growth = played.map(({ name, heaps: [before = 0, after = 0] }) => ({ name, bytes: after - before }));
  for (const { name, bytes } of growth) test.diagnostic(`${name}: ${bytes} bytes`);
  assert.deepEqual(
    growth.filter(({ bytes }) => bytes > maxBytes),
    [],
  );
});

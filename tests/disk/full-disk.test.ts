import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { createDataFolder } from "../crash/data-folder.ts";
import { runOutage } from "./run-outage.ts";

// The quick part of tests/long/storage-faults.ts.
test("a full disk: running requests end, new ones are refused, stored data is served, and it goes on by itself", async () => {
  await using place = await createDataFolder();
  const flag = path.join(place.folder, "full");
  const faults = await runOutage({
    data: place.folder,
    preload: path.resolve(import.meta.dirname, "full-disk-preload.ts"),
    variables: { FULL_DISK: flag },
    fail: () => writeFile(flag, ""),
    mend: () => rm(flag),
  });
  assert.equal(faults.length, 1, faults.join("\n"));
  assert.match(faults[0] ?? "", /database or disk is full/);
});

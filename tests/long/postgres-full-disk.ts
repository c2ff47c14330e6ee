import assert from "node:assert/strict";
import { chmod, chown, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, describe, it } from "node:test";
import { createDataFolder } from "../crash/data-folder.ts";
import { runOutage } from "../disk/run-outage.ts";
import { mountSmallDisk, noMount } from "../disk/small-disk.ts";
import { openStore, runOn, sharedServer, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { writeRecord } from "./record/report.ts";

describe("a PostgreSQL whose disk is full", withPostgres, () => {
  after(stopShared);

  it("ends the turns that it cannot store, and everything goes on once there is space", async (context) => {
    await using place = await createDataFolder();
    // The server runs as another user.
    await chmod(place.folder, 0o755);
    const folder = path.join(place.folder, "disk");
    await using disk = await mountSmallDisk(folder);
    // Only a user that may mount can fill a disk. That depends on the machine and is not a missing tool.
    if (disk === undefined) return context.skip(noMount);
    const server = await sharedServer();
    const { uid, gid } = await stat(server.folder);
    await chown(folder, uid, gid);
    const first = await server.createDatabase();
    await runOn(first, `CREATE TABLESPACE small LOCATION '${folder}'`);
    await runOn(first, "CREATE DATABASE on_small TABLESPACE small");
    const url = new URL(first);
    url.pathname = "on_small";
    // All tables exist before the disk is full, as they do in use.
    await using _tables = await openStore({ url: url.href });
    const ballast = path.join(folder, "ballast");
    const faults = await runOutage({
      data: path.join(place.folder, "data"),
      variables: { TROUPE_DATABASE_URL: url.href },
      fail: () => assert.rejects(writeFile(ballast, Buffer.alloc(32 * 1024 * 1024)), /ENOSPC/),
      mend: () => rm(ballast),
      hasRoomForChanges: true,
    });
    assert.equal(faults.length, 1, faults.join("\n"));
    assert.match(faults[0] ?? "", /No space left on device/);
    writeRecord(
      "postgres-full-disk",
      {},
      "\n  a full disk under the tables: 1 line in the log, nothing lost, mended by itself",
    );
  });
});

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, describe, it } from "node:test";
import { createDataFolder } from "../crash/data-folder.ts";
import { createServerProcess } from "../crash/server-process.ts";
import { type KilledServer, runDamage } from "../disk/run-damage.ts";
import { runOutage } from "../disk/run-outage.ts";
import { mountSmallDisk, noMount } from "../disk/small-disk.ts";
import { writeRecord } from "./record/report.ts";

describe("real faults of the storage", () => {
  const results: string[] = [];
  after(() => {
    const lines = results.map((result) => `  ${result}`).join("\n");
    console.log(lines);
    writeRecord("storage-faults", {}, `\n${lines}`);
  });

  it("a disk that becomes full and has room again", async (context) => {
    await using place = await createDataFolder();
    const folder = path.join(place.folder, "disk");
    await using disk = await mountSmallDisk(folder);
    // Only a user that may mount can fill a disk. That depends on the machine and is not a missing tool.
    if (disk === undefined) return context.skip(noMount);
    const ballast = path.join(folder, "ballast");
    const faults = await runOutage({
      data: folder,
      fail: () => assert.rejects(writeFile(ballast, Buffer.alloc(32 * 1024 * 1024)), /ENOSPC/),
      mend: () => rm(ballast),
    });
    assert.equal(faults.length, 1, faults.join("\n"));
    results.push("a full disk: 1 line in the log, nothing lost, mended by itself");
  });

  const skip = process.platform !== "linux" && "limits of another process are set by prlimit, on Linux";
  it("files that may not become longer", { skip }, async () => {
    await using place = await createDataFolder();
    const limit = (pid: number, bytes: string) =>
      execFileSync("prlimit", ["--pid", String(pid), `--fsize=${bytes}:`]);
    const faults = await runOutage({
      data: place.folder,
      // Smaller than the database, so nothing can be written at its end, nor at the end of its log.
      fail: async (pid) => void limit(pid, "4096"),
      mend: async (pid) => void limit(pid, "unlimited"),
    });
    assert.equal(faults.length, 1, faults.join("\n"));
    results.push("files that may not become longer: 1 line in the log, nothing lost, mended by itself");
  });

  /** The kinds of damage that a kill or a power failure leaves. */
  const damages: Readonly<Record<string, (killed: KilledServer) => Promise<void>>> = {
    "a write-ahead log with a torn end": ({ walFile }) => appendFile(walFile, Buffer.alloc(3_000, 0x5a)),
    async "a write-ahead log that is cut in a commit"({ walFile, keptBytes }) {
      const { size } = await stat(walFile);
      assert.ok(size > keptBytes);
      await truncate(walFile, size - 1_000);
    },
    "no shared memory beside the write-ahead log": ({ sharedMemoryFile }) => rm(sharedMemoryFile),
  };
  for (const [name, damage] of Object.entries(damages)) {
    it(name, async () => {
      const { replayed, faults } = await runDamage(damage);
      assert.deepEqual(faults, []);
      results.push(`${name}: ${replayed} messages replayed as they were shown`);
    });
  }

  it("a data folder that cannot be made", async () => {
    await using place = await createDataFolder();
    const file = path.join(place.folder, "file");
    await writeFile(file, "");
    const server = createServerProcess({ environment: { TROUPE_DATA: path.join(file, "data") } });
    server.start();
    await assert.rejects(server.listening(), /ended before it listened/);
    await server.ended();
    assert.equal(server.faults.length, 1, server.faults.join("\n"));
    assert.ok(server.faults[0]?.includes(path.join(file, "data")), server.faults[0]);
    results.push("a data folder that cannot be made: 1 line, which names it");
  });
});

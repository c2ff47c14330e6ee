import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { keepPageToken, openPrivateFolder, writePrivate } from "../../src/compose/private-folder.ts";
import { startTroupe } from "../support/start-troupe.ts";

const rightsOf = async (file: string) => ((await stat(file)).mode & 0o777).toString(8);
/** A warning fails the test. */
const strict = { files: [], onWarning: assert.fail };

async function makePlace() {
  const folder = await mkdtemp(path.join(tmpdir(), "troupe-private-"));
  return {
    folder,
    data: path.join(folder, "a", "data"),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

async function rightsIn(folder: string): Promise<Record<string, string>> {
  const names = await readdir(folder);
  const rights = await Promise.all(
    names.map(async (name) => [name, await rightsOf(path.join(folder, name))]),
  );
  return Object.fromEntries(rights);
}

const everyFile = [
  "page-token",
  "troupe.db",
  "troupe.db-lock",
  "troupe.db-shm",
  "troupe.db-wal",
  "websocket_test.html",
];
const allPrivate = Object.fromEntries(everyFile.map((name) => [name, "600"]));

/** Writes every file that the command line writes into its data folder. */
async function startOn(data: string) {
  const pageToken = await keepPageToken(data);
  const server = await startTroupe({ store: "sqlite", data, pageToken });
  await writePrivate(
    path.join(data, "websocket_test.html"),
    await server.troupe.renderDiskPage("ws://127.0.0.1/ws"),
  );
  return server;
}

describe("the data folder", { skip: process.platform === "win32" }, () => {
  it("and every file in it belong to the owner alone from the first moment, with any umask", async () => {
    await using place = await makePlace();
    const before = process.umask(0);
    try {
      await using server = await startOn(place.data);
      assert.equal(server.troupe.stats().turns, 0);
      assert.deepEqual(await rightsIn(place.data), allPrivate);
      for (const folder of [place.data, path.dirname(place.data)])
        assert.equal(await rightsOf(folder), "700");
    } finally {
      process.umask(before);
    }
  });

  it("of an earlier start loses the rights of other users", async () => {
    await using place = await makePlace();
    await mkdir(place.data, { recursive: true });
    await chmod(place.data, 0o777);
    {
      await using server = await startOn(place.data);
      assert.equal(server.troupe.stats().turns, 0);
      for (const name of everyFile) await chmod(path.join(place.data, name), 0o666);
      await chmod(place.data, 0o755);
    }
    await using server = await startOn(place.data);
    assert.equal(server.troupe.stats().turns, 0);
    assert.deepEqual(await rightsIn(place.data), allPrivate);
    assert.equal(await rightsOf(place.data), "700");
  });

  it("that holds other files as well stays as it is, and is warned of once", async () => {
    await using place = await makePlace();
    await mkdir(place.data, { recursive: true });
    await chmod(place.data, 0o755);
    await writeFile(path.join(place.data, "notes.txt"), "", { mode: 0o644 });
    await chmod(path.join(place.data, "notes.txt"), 0o644);
    const warnings: string[] = [];
    const onWarning = (warning: string) => void warnings.push(warning);
    await openPrivateFolder(place.data, { files: ["troupe.db"], onWarning });
    assert.deepEqual(await rightsIn(place.data), { "notes.txt": "644", "troupe.db": "600" });
    assert.equal(await rightsOf(place.data), "755");
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /chmod 700/);
    await chmod(place.data, 0o700);
    await openPrivateFolder(place.data, strict);
  });
});

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { it } from "node:test";
import { readProfile } from "../../bench/profile/read-profile.ts";

it("a profile gives each function's own time between two moments", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "troupe-profile-"));
  try {
    const file = path.join(folder, "one.cpuprofile");
    const node = (id: number, functionName: string, url: string) => ({
      id,
      callFrame: { functionName, url, lineNumber: 9 },
    });
    const profile = {
      nodes: [
        node(1, "relay", "file:///app/src/relay.ts"),
        node(2, "(idle)", ""),
        node(3, "relay", "file:///app/src/relay.ts"),
      ],
      startTime: 1_000_000,
      samples: [1, 2, 3, 1],
      timeDeltas: [0, 500, 500, 200],
    };
    await writeFile(file, JSON.stringify(profile));
    const all = { root: "/app", fromMs: 0, untilMs: 10_000 };
    assert.deepEqual(await readProfile(file, all), [
      { name: "relay", file: "src/relay.ts", line: 10, selfUs: 700 },
    ]);
    const [late] = await readProfile(file, { ...all, fromMs: 1_000.8 });
    assert.equal(late?.selfUs, 200);
  } finally {
    await rm(folder, { recursive: true });
  }
});

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createMetrics } from "../../src/adapters/prometheus/metrics.ts";
import { decodeSnapshot, encodeText } from "../../src/adapters/prometheus/snapshot.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import type { Script } from "../doubles/script.ts";
import { plainResponse, streamHead } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { collectLog } from "./fault-bench.ts";
import { type FaultVendor, responsesVendor } from "./vendors/fault-vendor.ts";
import { otherVendors } from "./vendors/other-vendors.ts";

const canary = "sk_canary_5f0c7b1e9d";
const headers = { "x-request-id": canary, "x-echo": `Bearer ${canary}` };
/** The error object of every vendor at once. */
const error = {
  ...{ message: `Bad key ${canary}.`, type: canary, code: canary, param: canary, status: canary },
  details: [{ reason: canary, domain: canary, metadata: { key: canary } }],
};

/** Upstreams that repeat the key: as a refusal, as a page, in a redirect, and in an answer that has begun. */
function echoes(vendor: FaultVendor): Script[] {
  const said = vendor.says("Well then. ");
  const begun = said.slice(0, Math.max(2, said.length - 2));
  const event = `event: error\ndata: ${JSON.stringify({ type: "error", error })}\n\n`;
  return [
    ...[400, 401, 403, 404, 409, 422, 429, 500, 503].flatMap((status) => [
      plainResponse(status, { error }, headers),
      plainResponse(status, `<h1>Authorization: Bearer ${canary}</h1>`, headers),
    ]),
    plainResponse(302, "", { location: `http://127.0.0.1:9/?k=${canary}` }),
    plainResponse(200, `Bearer ${canary}`, headers),
    [streamHead({ headers }), { write: event }],
    [streamHead({ headers }), { write: `data: ${JSON.stringify({ error })}\n\n` }],
    [streamHead({ headers }), { write: `data: ${canary}\n\n` }],
    [...begun, { write: event }],
  ];
}

/** All bytes of the database. */
async function bytesIn(folder: string): Promise<Buffer> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const read = files
    .filter((file) => file.isFile())
    .map((file) => readFile(join(file.parentPath, file.name)));
  return Buffer.concat(await Promise.all(read));
}

describe("the key of a provider that repeats it is in no frame, log line, metric or database", () => {
  for (const vendor of [responsesVendor, ...otherVendors]) {
    it(vendor.name, async () => {
      await using place = await createDataFolder();
      using metrics = createMetrics({ models: [] });
      await using double = await createUpstreamDouble({ keepAlive: false });
      const { logger, logged: kept } = collectLog();
      const scripts = echoes(vendor);
      {
        await using server = await startTroupe({
          ...vendor.options(double.baseUrl, canary),
          ...{ logger, observer: metrics.observer, store: "sqlite", data: place.folder },
          ...{ clock: createTestClock({ instantMs: 5_000 }), random: () => 0 },
        });
        const client = await server.connect();
        for (const [index, script] of scripts.entries()) {
          double.respond(script);
          const id = `asked-${index}`;
          const ask = index % 2 === 0 ? { message: "Well?", persona_id: "teacher" } : { input_text: "Well?" };
          client.send({ type: index % 2 === 0 ? "chat" : "openai_chat", id, data: ask } as never);
          const last = (await client.untilTerminal(id)).at(-1);
          assert.equal(last?.type, "error", `${index}: ${JSON.stringify(last)}`);
        }
        kept.push(
          JSON.stringify(client.received),
          await encodeText([decodeSnapshot(await metrics.snapshot())]),
        );
        client.close();
      }
      assert.ok(double.requests.length >= scripts.length);
      for (const { headers: sent } of double.requests)
        assert.ok(JSON.stringify(sent).includes(canary), "the call carries the key");
      const leak = kept.find((text) => text.includes(canary));
      assert.equal(leak, undefined);
      const bytes = await bytesIn(place.folder);
      assert.ok(bytes.length > 10_000 && bytes.includes("Well?"), "the database has the requests");
      assert.equal(bytes.indexOf(canary), -1, "the database holds the key");
    });
  }
});

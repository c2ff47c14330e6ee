import assert from "node:assert/strict";
import { it } from "node:test";
import { createSqliteResponses } from "../../../src/adapters/sqlite/sqlite-responses.ts";
import { createSqliteStore, openServedTime } from "../../../src/adapters/sqlite/sqlite-store.ts";
import { textMessage } from "../../../src/ports/item.ts";
import { describeResponses, responseRetentionMs } from "../../ports/response-store-contract.ts";
import { openBeside } from "../../support/open-beside.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { dataFolder, failing } from "./open-store.ts";

async function openResponses(file: string, observer = failing) {
  const clock = createTestClock({ instantMs: 1_000 });
  const store = await createSqliteStore({ clock, file, synchronous: "NORMAL", observer });
  const served = await openServedTime(store, clock);
  const responses = createSqliteResponses({ store, served, retentionMs: responseRetentionMs });
  return { clock, responses, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

describeResponses("sqlite", async () => {
  const place = await dataFolder();
  const { clock, responses, ...opened } = await openResponses(place.file);
  return {
    ...{ store: responses, clock },
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
});

it("sqlite gives no context from content that it cannot read, and reports it", async () => {
  await using place = await dataFolder();
  const faults: string[] = [];
  await using opened = await openResponses(place.file, {
    faulted: ({ where, error }) => faults.push(`${where}: ${error instanceof Error ? error.name : error}`),
  });
  const { responses } = opened;
  await responses.keep("ada", { id: "r1", items: [textMessage("user", "one")] });
  await responses.keep("ada", { id: "r2", items: [textMessage("user", "two")] });
  {
    using database = openBeside(place.file);
    database.exec(`UPDATE responses SET items = '[{"type":"song"}]' WHERE id = 'r1'`);
    database.exec("UPDATE responses SET version = 99 WHERE id = 'r2'");
  }
  assert.equal(await responses.context("ada", "r1", 1_000), undefined);
  assert.equal(await responses.context("ada", "r2", 1_000), undefined);
  assert.deepEqual(faults, ["storage: UnreadableError", "storage: UnreadableError"]);
});

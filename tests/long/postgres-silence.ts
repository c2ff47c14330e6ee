import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { createTroupe } from "../../src/compose/create-troupe.ts";
import { serveTroupe } from "../support/start-troupe.ts";
import { createFaultyProxy } from "./postgres/faulty-proxy.ts";
import { emptyDatabase, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";

describe("a database that has fallen silent on open connections", withPostgres, () => {
  after(stopShared);

  it("leaves no reader waiting, and lets the server close", { timeout: 60_000 }, async () => {
    await using proxy = await createFaultyProxy(await emptyDatabase());
    await using server = await serveTroupe(
      await createTroupe({ localProviders: [], databaseUrl: proxy.url }),
    );
    const read = () => fetch(`${server.httpUrl}/api/conversations`);
    assert.equal((await read()).status, 200);
    proxy.swallow();
    const answers = await Promise.all([read(), read(), read()]);
    for (const { status } of answers) assert.ok([200, 503].includes(status), `${status}`);
  });
});

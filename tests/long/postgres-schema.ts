import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { connect, drop } from "../../src/adapters/postgres/connection.ts";
import { migrate } from "../../src/adapters/postgres/migrations.ts";
import { runOn, sharedServer, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";

type Steps = NonNullable<Parameters<typeof migrate>[1]>;

const first = { needs: 1, sql: "CREATE TABLE one (a int)" };
const adds = { needs: 1, sql: "ALTER TABLE one ADD COLUMN b int" };
const removes = { needs: 3, sql: "ALTER TABLE one DROP COLUMN a" };

describe("the schema in PostgreSQL", withPostgres, () => {
  after(stopShared);

  async function open() {
    const url = await (await sharedServer()).createDatabase();
    return {
      url,
      /** Starts a program that knows these steps. */
      async start(steps?: Steps) {
        const client = await connect(url, "other");
        try {
          await migrate(client, steps);
        } finally {
          drop(client);
        }
      },
      columns: async () =>
        (await runOn(url, "SELECT column_name FROM information_schema.columns WHERE table_name = 'one'"))
          .map((row) => row.column_name)
          .join(" "),
    };
  }

  it("is made once by processes that start together", async () => {
    const at = await open();
    await Promise.all(Array.from({ length: 4 }, () => at.start()));
    await at.start();
    const rows = await runOn(at.url, "SELECT step, needs FROM schema_steps");
    assert.deepEqual(rows, [
      { step: 1, needs: 1 },
      { step: 2, needs: 1 },
      { step: 3, needs: 3 },
      { step: 4, needs: 3 },
      { step: 5, needs: 3 },
      { step: 6, needs: 3 },
      { step: 7, needs: 3 },
      { step: 8, needs: 3 },
    ]);
  });

  it("lets the release before go on after a step that adds, and not after one that removes", async () => {
    const at = await open();
    await at.start([first]);
    await at.start([first, adds]);
    await at.start([first]);
    assert.equal(await at.columns(), "a b");
    await at.start([first, adds, removes]);
    assert.equal(await at.columns(), "b");
    await assert.rejects(at.start([first, adds]), {
      message: "the database needs a Troupe that knows step 3 of its schema, this one knows 2",
    });
  });

  it("leaves nothing of a step that fails, and does it at the next start", async () => {
    const at = await open();
    const broken = { needs: 1, sql: "CREATE TABLE two (a int); SELECT 1 / 0" };
    await assert.rejects(at.start([first, broken]), /division by zero/);
    assert.deepEqual(await runOn(at.url, "SELECT to_regclass('two') AS two"), [{ two: null }]);
    await at.start([first, adds]);
    assert.equal(await at.columns(), "a b");
  });
});

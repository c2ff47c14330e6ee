import assert from "node:assert/strict";
import { test } from "node:test";
import { bearer } from "../support/key-system.ts";
import { textOf } from "../support/wire-client.ts";
import { spellings } from "./spellings.ts";
import { startTwoTenants } from "./two-tenants.ts";

for (const store of ["memory", "sqlite"] as const) {
  test(`while a request runs, no other tenant's deletion reaches it, and hers reaches no one else's, kept in ${store}`, async () => {
    await using tenants = await startTwoTenants(store);
    const { server, call, ada, owner, ids, upstream } = tenants;
    const bob = await tenants.makeKey("bob");
    const address = (id: string) => `/api/conversations/${encodeURIComponent(id)}`;
    // His request has the same id as hers, but its own conversation.
    const his = await server.connect(bearer(bob.key));
    const calls = upstream.calls;
    his.send({
      type: "chat",
      id: ids["a request that runs"],
      data: { message: "Yours, and canary-7f3a9c.", persona_id: "teacher", conversation_id: "new" },
    });
    await his.next((message) => message.type === "chunk");
    const hers = ids["a conversation in which one runs"];
    const never = await call("DELETE", address("never-was"), { key: bob.key });
    const wanted = [never.status, await never.text()];
    for (const [spelling, spelt] of spellings(hers)) {
      const reply = await call("DELETE", address(spelt), { key: bob.key });
      assert.deepEqual([reply.status, await reply.text()], wanted, spelling);
    }
    const state = async (key: string) => {
      const reply = await call("GET", `/api/requests/${ids["a request that runs"]}`, { key });
      return reply.status === 200 ? ((await reply.json()) as { state: string }).state : reply.status;
    };
    assert.deepEqual([await state(ada.key), await state(bob.key)], ["running", "running"]);
    assert.equal((await call("DELETE", address(hers), { key: ada.key })).status, 204);
    const end = (await owner.untilTerminal(ids["a request that runs"])).at(-1);
    assert.ok(end?.type === "response" && end.status === "cancelled");
    assert.deepEqual([await state(ada.key), await state(bob.key)], [404, "running"]);
    await tenants.openGate();
    const whole = await his.untilTerminal(ids["a request that runs"]);
    const last = whole.at(-1);
    assert.ok(last?.type === "response" && last.status === "completed");
    assert.equal(textOf(whole), tenants.expected);
    assert.equal(upstream.calls, calls + 1);
  });
}

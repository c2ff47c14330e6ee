import assert from "node:assert/strict";
import { test } from "node:test";
import { usageGroups } from "../../src/ports/usage-store.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { chat, events } from "./gated-cluster.ts";
import { onLinux, startProcesses } from "./start-processes.ts";

type Sum = Readonly<Record<string, unknown>>;

const part = (sum: Sum, ...names: readonly string[]) => names.map((name) => sum[name]);

test("each process tells the usage of requests at all of them, by every group", onLinux, async () => {
  await using system = await startProcesses(streamScript(events));
  const { clients } = await system.connectBoth();
  const conversations: unknown[] = [];
  for (const [index, client] of clients.entries()) {
    client.send(chat(`r-${index}`));
    const end = (await client.untilTerminal(`r-${index}`)).at(-1);
    assert.ok(end?.type === "response" && "conversation_id" in end.data, JSON.stringify(end));
    conversations.push(end.data.conversation_id);
  }

  const address = system.server.url?.replace(/^ws(.*)ws$/, "http$1api/usage");
  /** The sums, which are the same whichever process answers: each of the connections may reach another one. */
  async function sumsBy(group: string): Promise<readonly Sum[]> {
    const ask = async () => {
      const response = await fetch(`${address}?group_by=${group}`, { headers: { connection: "close" } });
      assert.equal(response.status, 200);
      return ((await response.json()) as { usage: readonly Sum[] }).usage;
    };
    const [first = [], ...others] = await Promise.all(Array.from({ length: 8 }, ask));
    for (const other of others) assert.deepEqual(other, first);
    return first;
  }

  const sums = new Map<string, readonly Sum[]>();
  for (const group of usageGroups) sums.set(group, await sumsBy(group));
  const of = (group: string, ...names: readonly string[]) =>
    (sums.get(group) ?? []).map((sum) => part(sum, ...names));
  const sorted = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).sort();

  const { total_tokens: total } = sums.get("day")?.[0] ?? {};
  assert.ok(Number(total) > 0);
  assert.deepEqual(of("day", "calls"), [[2]]);
  assert.deepEqual(of("model", "api", "calls", "total_tokens"), [["openai", 2, total]]);
  assert.deepEqual(of("key", "key_id", "calls", "total_tokens"), [["anonymous", 2, total]]);
  const half = Number(total) / 2;
  assert.deepEqual(
    sorted(of("conversation", "conversation_id", "calls", "total_tokens")),
    sorted(conversations.map((id) => [id, 1, half])),
  );
  const requests = conversations.map((id, index) => [id, `r-${index}`]);
  assert.deepEqual(
    sorted(of("request", "conversation_id", "request_id", "calls", "total_tokens")),
    sorted(requests.map((names) => [...names, 1, half])),
  );
  assert.deepEqual(
    sorted(of("call", "conversation_id", "request_id", "outcome", "total_tokens")),
    sorted(requests.map((names) => [...names, "completed", half])),
  );

  const refused = await fetch(`${address}?group_by=owner`);
  const { code, field } = (await refused.json()) as { code: string; field: string };
  assert.deepEqual([refused.status, code, field], [400, "invalid_message", "group_by"]);
});

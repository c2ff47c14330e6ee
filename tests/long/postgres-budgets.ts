import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "../budget/budget-stage.ts";
import { createLockStep, type RequestEnd } from "../cluster/lock-step.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { connect, type WireClient } from "../support/wire-client.ts";
import { runOn, sharedServer, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { startNodes, type TestNodes } from "./postgres/start-nodes.ts";
import { writeRecord } from "./record/report.ts";

/** The figures of a short run; a longer one sets its own. */
const starts = Number(process.env.BUDGET_STARTS ?? 150);
const cap = Number(process.env.BUDGET_CAP ?? 20_000);
const reservedTokens = 256;

const purses = {
  "the server's tokens": { TROUPE_SERVER_TOKENS_PER_DAY: String(cap) },
  "the server's money": { TROUPE_MONEY_PER_DAY: String(cap / 100_000), TROUPE_FALLBACK_PRICE: "10/10" },
};

/** Three nodes on one database. */
async function startThree(variables: Readonly<Record<string, string>>) {
  await using opening = new AsyncDisposableStack();
  const databaseUrl = await (await sharedServer()).createDatabase();
  const upstream = opening.use(await createUpstreamDouble({ keepAlive: false }));
  const options = {
    TROUPE_RESERVED_TOKENS: String(reservedTokens),
    TROUPE_PACING: "raw",
    TROUPE_MAX_REQUESTS_PER_CONNECTION: String(starts),
    ...variables,
  };
  const nodes = opening.use(
    await startNodes({ databaseUrl, upstreamUrl: upstream.baseUrl, count: 3, variables: options }),
  );
  const opened = opening.move();
  return { databaseUrl, upstream, nodes, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

type System = Awaited<ReturnType<typeof startThree>>;

/** Asks these nodes at once. The answers never end by themselves and grow in step. */
async function askAtOnce(
  { upstream }: System,
  nodes: TestNodes["all"],
  count: number,
  onRound?: (round: number) => unknown,
): Promise<RequestEnd[]> {
  const lockStep = createLockStep(3_000);
  upstream.respond(lockStep.script);
  const asked = new Map<WireClient, string[]>();
  for (const [place, node] of nodes.entries()) {
    const client = await connect(node.url ?? "");
    const share = Math.floor((count + place) / nodes.length);
    const ids = Array.from({ length: share }, () => randomUUID());
    for (const id of ids) client.send(ask(id));
    asked.set(client, ids);
  }
  const ends = await lockStep.run(asked, onRound);
  for (const client of asked.keys()) client.terminate();
  return ends;
}

function codeOf(end: RequestEnd): string {
  return end.type === "response" ? (end.finish_reason ?? "") : end.code;
}

/** How many were cut by the budget in their middle, and how many did not begin. */
function countEnds(ends: readonly RequestEnd[]): [begun: number, refused: number] {
  const codes = ends.map(codeOf);
  const refusals = codes.filter((code) => code === "budget_exhausted" || code === "day_budget_spent");
  return [codes.filter((code) => code === "budget").length, refusals.length];
}

/** Spends the rest by one request after another, at these nodes in turn, until one is refused. */
async function spendRest(system: System, nodes: TestNodes["all"]): Promise<void> {
  for (let count = 0; ; count += 1) {
    const node = nodes[count % nodes.length];
    if (node === undefined || count > 100) throw new Error("There is no end of the budget.");
    const [end] = await askAtOnce(system, [node], 1);
    if (end?.type === "error") return;
  }
}

/** The slices of a node that was killed: its row goes with its death. */
async function slicesOfDead(databaseUrl: string): Promise<number> {
  const [row] = await runOn(
    databaseUrl,
    `SELECT (SELECT count(*) FROM nodes) > 2 AS is_unnoticed,
      (SELECT count(*) FROM purse_slices WHERE incarnation NOT IN (SELECT incarnation FROM nodes))::int AS left`,
  );
  return row?.is_unnoticed === true ? 1 : Number(row?.left);
}

async function usedIn(databaseUrl: string): Promise<number> {
  const [row] = await runOn(databaseUrl, "SELECT sum(input_tokens + output_tokens)::int AS used FROM usage");
  return Number(row?.used);
}

const columns = ["budget", "starts", "ended by it", "refused", "cap", "used by them", "used in all"];
const rows: (string | number)[][] = [];

/** Prints the table, once each budget has its row. */
function finish(): void {
  const lines = [columns, columns.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  console.log(lines.join("\n"));
  writeRecord("postgres-budgets", { BUDGET_STARTS: starts, BUDGET_CAP: cap }, lines.join("\n"));
}

describe("three nodes that pay from one budget", withPostgres, () => {
  after(stopShared);
  after(finish);

  for (const [name, variables] of Object.entries(purses))
    it(`overspend ${name} by at most one reservation in ${starts} starts at once, and leave no rest`, async () => {
      await using system = await startThree(variables);
      const { nodes, databaseUrl } = system;
      const ends = await askAtOnce(system, nodes.all, starts);
      const [begun, refused] = countEnds(ends);
      assert.equal(begun + refused, starts, JSON.stringify([...new Set(ends.map(codeOf))]));
      const usedAtOnce = await usedIn(databaseUrl);
      await spendRest(system, nodes.all);
      const used = await usedIn(databaseUrl);
      rows.push([name, starts, begun, refused, cap, usedAtOnce, used]);
      assert.ok(used <= cap + reservedTokens, `${used}`);
      assert.ok(used >= cap - reservedTokens, `${used}`);
    });

  it("do so as well if one of them is killed in the middle", async () => {
    await using system = await startThree(purses["the server's tokens"]);
    const { nodes, databaseUrl } = system;
    const [killed, ...others] = nodes.all;
    const ends = await askAtOnce(system, nodes.all, starts, (round) =>
      round === 2 ? killed?.kill() : undefined,
    );
    const [begun, refused] = countEnds(ends);
    for (let tries = 0; (await slicesOfDead(databaseUrl)) > 0; tries += 1) {
      assert.ok(tries < 300, "slices of the dead node stay");
      await sleep(100);
    }
    const usedAtOnce = await usedIn(databaseUrl);
    await spendRest(system, others);
    const used = await usedIn(databaseUrl);
    rows.push(["the server's tokens, and a node is killed", starts, begun, refused, cap, usedAtOnce, used]);
    assert.ok(used <= cap + reservedTokens, `${used}`);
    assert.ok(used >= cap - reservedTokens, `${used}`);
  });
});

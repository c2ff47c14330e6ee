import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import type { Script } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble, type UpstreamDouble } from "../doubles/upstream-double.ts";
import { openBeside } from "../support/open-beside.ts";
import { type RunningTroupe, startTroupe } from "../support/start-troupe.ts";
import { createTestClock, type TestClock } from "../support/test-clock.ts";
import type { WireClient } from "../support/wire-client.ts";

/** One call as stored in the table of usage. */
export interface UsageRow {
  readonly owner: string;
  readonly key_id: string;
  readonly request_id: string | null;
  readonly lane: string | null;
  readonly model: string;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly total_tokens: number;
  readonly estimated: number;
  readonly outcome: string | null;
}

export interface BudgetStage extends AsyncDisposable {
  readonly upstream: UpstreamDouble;
  readonly server: RunningTroupe;
  readonly clock: TestClock;
  readonly folder: string;
  /** The rows of usage in the order in which the calls started, read after all earlier writes. */
  rows(): Promise<UsageRow[]>;
}

/** Four tokens, by the rule of four bytes per token. */
export const fourTokens = "sixteen letters ";

/** Sends four tokens at a time until the connection is closed. */
export function endlessScript(): Script {
  const events = answer({ deltas: [fourTokens] });
  const delta = events.findIndex((event) => event.includes("output_text.delta"));
  const [head, ...opening] = streamScript(events.slice(0, delta));
  if (head === undefined) throw new Error("A script without a head.");
  return [head, ...opening, { repeat: [{ write: events[delta] ?? "" }] }];
}

/** A server that keeps its usage in a database. Its double never stops talking by itself. */
export async function startBudgetStage(
  options: TroupeOptions = {},
  {
    folder: given,
    clock = createTestClock({ instantMs: 1_000 }),
    upstream: shared,
  }: { folder?: string; clock?: TestClock; upstream?: UpstreamDouble } = {},
): Promise<BudgetStage> {
  const folder = given ?? (await mkdtemp(path.join(tmpdir(), "troupe-budget-")));
  const upstream = shared ?? (await createUpstreamDouble({ keepAlive: false }));
  if (shared === undefined) upstream.respond(endlessScript());
  const server = await startTroupe({
    store: "sqlite",
    data: folder,
    clock,
    openaiApiKey: "k",
    openaiBaseUrl: upstream.baseUrl,
    pacing: "raw",
    ...options,
  });
  return {
    upstream,
    server,
    clock,
    folder,
    async rows() {
      // A read is done after all writes that were queued before it.
      await (await fetch(`${server.httpUrl}/api/usage`)).text();
      return readUsage(folder);
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      if (shared === undefined) await upstream[Symbol.asyncDispose]();
      if (given === undefined) await rm(folder, { recursive: true });
    },
  };
}

/** The usage rows that a data folder holds now, in the order in which the calls started. */
export function readUsage(folder: string): UsageRow[] {
  using database = openBeside(path.join(folder, "troupe.db"), { readOnly: true });
  return database.prepare("SELECT * FROM usage ORDER BY number").all() as unknown as UsageRow[];
}

/** A question to the model. `data` holds the fields that matter to the test. */
export const ask = (id: string, data: object = {}) => ({
  type: "openai_chat",
  id,
  data: { input_text: "Hi", ...data },
});

export function totalOf(rows: readonly UsageRow[]): number {
  return rows.reduce((sum, row) => sum + row.total_tokens, 0);
}

/** How each of these requests ended or was refused. */
export async function endsOf(
  client: WireClient,
  ids: readonly string[],
): Promise<(ServerMessage & { type: "response" | "error" })[]> {
  const left = new Set(ids);
  const ends: (ServerMessage & { type: "response" | "error" })[] = [];
  while (left.size > 0) {
    const message = await client.next(({ type }) => type === "response" || type === "error");
    if (message.type !== "response" && message.type !== "error") continue;
    const replied = message.type === "error" ? message.in_reply_to?.id : undefined;
    if (left.delete(message.request_id ?? replied ?? "")) ends.push(message);
  }
  return ends;
}

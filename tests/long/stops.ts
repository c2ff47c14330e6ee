import assert from "node:assert/strict";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createSeededRandom } from "../crash/seeded-random.ts";
import { connect, textOf, type WireClient } from "../support/wire-client.ts";
import { reportFigures } from "./record/report.ts";
import { percentile } from "./sockets/percentiles.ts";
import { startServer } from "./sockets/start-server.ts";
import { planOf, questionOf, spokenApis, type WordPlan, wordsOf } from "./sockets/word-upstream.ts";

/** `STOPS` (over each API) and `STOP_CLIENTS` change the size of the run; `STOP_SEED` changes its choices. */
const stops = Number(process.env.STOPS ?? 100);
const clients = Number(process.env.STOP_CLIENTS ?? 40);
const seed = Number(process.env.STOP_SEED ?? 1);

const kinds = [
  "before the first byte",
  "mid-stream",
  "in a retry",
  "at the end",
  "of a lane",
  "by a cut socket",
] as const;
const personas = ["teacher", "skeptic"];

/** Tokens as an answer or the server's own sums tell them. */
interface Tokens {
  readonly input_tokens: number;
  readonly output_tokens: number;
}

it(`${stops} stops over each API, seed ${seed}: each closes its upstream connection, and nothing of it is left`, async () => {
  const apis = spokenApis.map(({ name }) => name);
  await using system = await startServer({}, apis);
  const { upstream, url } = system;
  const random = createSeededRandom(seed);
  const stoppedAtMs = new Map<string, number>();
  const kindOf = new Map<string, string>();
  const strange: string[] = [];
  /** Output tokens that answers told, by the API. */
  const told = new Map<string, number>();

  /** Asks, waits for its moment, stops, and reads to the end. A dropped socket has no end to read. */
  async function stop(api: string, number: number, client: WireClient): Promise<boolean> {
    const kind = kinds[number % kinds.length] ?? "mid-stream";
    const name = `${api}-${number}`;
    const words = 20;
    const plan: WordPlan = {
      name,
      words,
      intervalMs: 15,
      firstByteMs: kind === "before the first byte" ? 1_000 : 0,
      refusals: kind === "in a retry" ? 2 : 0,
    };
    kindOf.set(name, kind);
    const more = {
      api,
      pacing: { mode: "raw" },
      ...(kind === "by a cut socket" ? { on_disconnect: "cancel" } : {}),
    };
    client.send(
      kind === "of a lane"
        ? {
            type: "multi_chat",
            id: name,
            data: { message: questionOf(plan), persona_ids: personas, conversation_id: "new", ...more },
          }
        : { type: "openai_chat", id: name, data: { input_text: questionOf(plan), ...more } },
    );
    const mine = (message: object) => "request_id" in message && message.request_id === name;
    if (kind === "before the first byte") await sleep(random.between(0, 200));
    else if (kind === "in a retry") {
      await client.next(
        (message) => mine(message) && message.type === "status" && message.detail !== undefined,
      );
      await sleep(random.between(0, 300));
    } else {
      const chunks = kind === "at the end" ? words - 2 : random.whole(1, words - 3);
      for (let count = 0; count < chunks; count += 1) {
        const message = await client.next(
          (next) => mine(next) && (next.type === "chunk" || next.type === "response"),
        );
        if (message.type === "response") break;
      }
      if (kind === "at the end") await sleep(random.between(0, 25));
    }
    stoppedAtMs.set(name, performance.now());
    if (kind === "by a cut socket") {
      client.terminate();
      return false;
    }
    const lane = kind === "of a lane" ? { persona_id: personas[0] } : {};
    client.send({ type: "cancel", id: name, data: { request_id: name, ...lane } });
    if (kind === "of a lane") client.send({ type: "cancel", id: name, data: { request_id: name } });
    const messages = await client.untilTerminal(name);
    const full = wordsOf(plan).join("");
    let shown = "";
    for (const persona of kind === "of a lane" ? personas : [undefined]) {
      const text = textOf(messages, persona);
      shown += text;
      if (!full.startsWith(text)) strange.push(`${name} ${kind}: ${text}`);
    }
    const end = messages.at(-1);
    if (end?.type !== "response") {
      strange.push(`${name} ${kind}: ${JSON.stringify(end)}`);
      return true;
    }
    const usage = end.data.usage as Tokens | undefined;
    told.set(api, (told.get(api) ?? 0) + (usage?.output_tokens ?? 0));
    const isCounted = usage !== undefined && usage.input_tokens > 0 && usage.output_tokens > 0;
    if (shown !== "" && !isCounted) strange.push(`${name} ${kind} has no usage: ${JSON.stringify(end)}`);
    return true;
  }

  // Every figure includes the lateness of this process, with its upstream and clients.
  const ownDelay = monitorEventLoopDelay({ resolution: 1 });
  ownDelay.enable();
  for (const api of apis) {
    let next = 0;
    await Promise.all(
      Array.from({ length: clients }, async () => {
        let client = await connect(url);
        while (next < stops) {
          next += 1;
          if (!(await stop(api, next, client))) client = await connect(url);
        }
        client.close();
        await client.closed;
      }),
    );
  }
  ownDelay.disable();
  for (let waits = 0; upstream.openConnections() > 0 && waits < 500; waits += 1) await sleep(10);

  const tookMs = new Map<string, number[]>();
  const took = (row: string, ms: number) => tookMs.set(row, [...(tookMs.get(row) ?? []), ms]);
  let late = 0;
  for (const request of upstream.requests) {
    const { name } = planOf(request);
    const stopped = stoppedAtMs.get(name) ?? Number.NaN;
    if (request.receivedAtMs > stopped) late += 1;
    if (request.finished || request.closedAtMs === undefined || request.closedAtMs < stopped) continue;
    const ms = request.closedAtMs - stopped;
    const api = apiOf(name);
    took(`${api}: closed by a stop`, ms);
    took(`${api}: closed by a stop ${kindOf.get(name)}`, ms);
  }
  const running: string[] = [];
  for (const name of stoppedAtMs.keys()) {
    const answer = await fetch(`${system.httpUrl}/api/requests/${name}`);
    const { state } = (await answer.json()) as { state?: string };
    if (state !== "ended") running.push(`${name} ${kindOf.get(name)}: ${answer.status} ${state}`);
  }
  const { usage } = (await (await fetch(`${system.httpUrl}/api/usage`)).json()) as {
    usage: readonly (Tokens & { readonly api: string })[];
  };
  const recorded = (api: string) =>
    usage.filter((row) => row.api === api).reduce((sum, row) => sum + row.output_tokens, 0);
  reportFigures({
    program: "stops",
    settings: { STOPS: stops, STOP_CLIENTS: clients, STOP_SEED: seed },
    figures: {
      "stops over each API": stops,
      "clients at the same time": clients,
      "upstream calls": upstream.calls,
      ...Object.fromEntries(
        [...tookMs].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([row, values]) => [row, describe(values)]),
      ),
      ...Object.fromEntries(
        apis.map((api) => [`${api}: output tokens told, recorded`, `${told.get(api)}, ${recorded(api)}`]),
      ),
      "the program's own delay": `p50 ${inMs(ownDelay.percentile(50))}, p99 ${inMs(ownDelay.percentile(99))}`,
      "calls that crossed their stop": late,
      "upstream connections left open": upstream.openConnections(),
      "requests left running": running.length,
      "wrong texts or ends": strange.length,
      "faults in the server's log": system.server.faults.length,
    },
  });
  assert.deepEqual(strange.slice(0, 10), []);
  assert.deepEqual(running.slice(0, 10), []);
  assert.equal(upstream.openConnections(), 0);
  assert.deepEqual(system.server.faults, []);
  // Cut sockets were told nothing, so more may be recorded.
  for (const api of apis) assert.ok((told.get(api) ?? 0) > 0 && recorded(api) >= (told.get(api) ?? 0), api);
});

/** The API of a stop's name. */
const apiOf = (name: string) => name.slice(0, name.lastIndexOf("-"));

const inMs = (nanoseconds: number) => `${(nanoseconds / 1e6).toFixed(1)} ms`;

function describe(values: readonly number[]): string {
  return `${values.length}, p50 ${percentile(values, 0.5).toFixed(1)} ms, p99 ${percentile(values, 0.99).toFixed(1)} ms`;
}

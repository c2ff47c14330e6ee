import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createTroupe, type TroupeOptions } from "../../src/compose/create-troupe.ts";
import { answer } from "../../tests/doubles/answer.ts";
import { createGate, type Gate, type Step } from "../../tests/doubles/script.ts";
import { streamScript } from "../../tests/doubles/stream-script.ts";
import { createUpstreamDouble } from "../../tests/doubles/upstream-double.ts";
import { serveTroupe } from "../../tests/support/start-troupe.ts";
import type { WireClient } from "../../tests/support/wire-client.ts";
import { table } from "../markdown-tables.ts";
import { type Entered, EnteredFunctions } from "./entered-functions.ts";

/** One way through the sources: its name and the functions that are entered on it. */
interface Walk {
  readonly name: string;
  readonly entered: Entered;
}

const personas = ["teacher", "creative_writer", "data_scientist"];
const settleMs = 200;
/** Chunks are sent at once, and no local provider is looked for, so that only the walk enters functions. */
const settings: TroupeOptions = { pacing: "raw", localProviders: [], openaiApiKey: "key" };

/** The steps of an answer whose first delta and whose rest wait for their gates. */
function gatedAnswer(delta: Gate, rest: Gate): Step[] {
  const steps = streamScript(answer({ deltas: ["One ", "two ", "three."] }));
  const first = steps.findIndex((step) => "write" in step && String(step.write).includes("One "));
  return [
    ...steps.slice(0, first),
    { waitFor: delta.opened },
    ...steps.slice(first, first + 1),
    { waitFor: rest.opened },
    ...steps.slice(first + 1),
  ];
}

/** Measures each walk in a process that has done it before, so that no function is entered for the first time. */
async function measure(): Promise<Walk[]> {
  await using stack = new AsyncDisposableStack();
  const data = await mkdtemp(join(tmpdir(), "troupe-walk-"));
  stack.defer(() => rm(data, { recursive: true, force: true }));
  const upstream = stack.use(await createUpstreamDouble());
  const options: TroupeOptions = { ...settings, openaiBaseUrl: upstream.baseUrl, data };
  const server = stack.use(await serveTroupe(await createTroupe(options)));
  const client = await server.connect();
  using functions = await EnteredFunctions.start();
  const walks: Walk[] = [];
  for (const round of ["warm-up", "counted"]) {
    const take = async (name: string) => {
      const entered = await functions.take();
      if (round === "counted") walks.push({ name, entered });
      // The end of one walk is not the start of the next.
      await sleep(settleMs);
      await functions.take();
    };
    const gates = { delta: createGate(), rest: createGate() };
    upstream.respond(gatedAnswer(gates.delta, gates.rest));
    await functions.take();
    await walkAnswer(client, upstream.received(upstream.calls + 1), gates, { round, take });

    const second = await server.connect();
    await functions.take();
    second.send({ type: "resume", data: { request_id: `chat-${round}`, after_seq: 0 } });
    await second.untilTerminal(`chat-${round}`);
    await take("a resume, until its last message");
    second.close();

    upstream.respond(streamScript(answer({ deltas: ["One."] })));
    const calls = upstream.received(upstream.calls + personas.length);
    await functions.take();
    client.send({ type: "multi_chat", id: `multi-${round}`, data: { message: "Hi", persona_ids: personas } });
    await calls;
    await take(`a multi_chat of ${personas.length}, until its last call`);
    await client.untilTerminal(`multi-${round}`);
  }
  return walks;
}

async function walkAnswer(
  client: WireClient,
  called: Promise<unknown>,
  gates: { readonly delta: Gate; readonly rest: Gate },
  { round, take }: { readonly round: string; readonly take: (name: string) => Promise<void> },
): Promise<void> {
  const id = `chat-${round}`;
  client.send({ type: "chat", id, data: { message: "Hi", persona_id: "teacher" } });
  await called;
  await take("a frame, until the provider is called");
  gates.delta.open();
  await client.next((message) => message.type === "chunk" && message.request_id === id);
  await take("a delta, until the client has it");
  gates.rest.open();
  await client.untilTerminal(id);
  await take("the end of an answer");
}

function count({ entered }: Walk): { files: number; functions: number } {
  const functions = [...entered.values()].reduce((sum, names) => sum + names.length, 0);
  return { files: entered.size, functions };
}

/**
 * `npm run walk`: prints how many files and functions of `src` a frame, a delta, an end, a resume and a `multi_chat` enter. Precise
 * coverage of the server's main thread counts them; the store's thread is left out. `--list` prints their names as well. Returns the
 * exit code.
 */
export async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { list: { type: "boolean", default: false } } });
  const walks = await measure();
  if (values.list) {
    for (const { name, entered } of walks) {
      console.log(`\n${name}`);
      for (const [file, names] of entered) console.log(`  ${file}: ${names.join(", ")}`);
    }
    console.log("");
  }
  const rows = walks.map((walk) => [walk.name, String(count(walk).files), String(count(walk).functions)]);
  console.log(table(["walk", "files", "functions"], rows));
  return 0;
}

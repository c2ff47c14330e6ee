import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { createCountingUpstream } from "../crash/counting-upstream.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { answerTo, questionOf } from "../crash/numbered-answer.ts";
import { createServerProcess, troupeEnvironment } from "../crash/server-process.ts";
import { connect, isTerminal, textOf } from "../support/wire-client.ts";
import { createJournalReader, type JournalReader } from "./journal-reader.ts";

export interface SlowDisk {
  readonly synchronous: "NORMAL" | "FULL";
  /** Extra delay of every commit. */
  readonly commitMs: number;
  /** Number of requests that run at the same time, each to `personas`. */
  readonly turns: number;
}

/** The results of a run. All counts but the first two should be 0. */
export interface SlowDiskFigures {
  readonly lanes: number;
  readonly messages: number;
  readonly "sent before journalled": number;
  readonly "gaps in the numbers": number;
  readonly "wrong texts": number;
  readonly "wrong ends": number;
  readonly "faults in the server's log": number;
  readonly loopDelays: { readonly medianMs: number; readonly highMs: number; readonly maxMs: number };
}

const personas = ["teacher", "skeptic", "historian"];
/** The time between two pieces of an answer. */
const pieceMs = 30;

/** Runs a real server with many lanes on a slow disk. Every numbered message is looked up in the database when it arrives. */
export async function runSlowDisk({ synchronous, commitMs, turns }: SlowDisk): Promise<SlowDiskFigures> {
  await using place = await createDataFolder();
  await using upstream = await createCountingUpstream({ delayMs: () => pieceMs });
  const delays = path.join(place.folder, "loop-delays.json");
  const server = createServerProcess({
    environment: {
      ...troupeEnvironment({ data: place.folder, upstreamUrl: upstream.baseUrl }),
      TROUPE_SYNCHRONOUS: synchronous,
      COMMIT_MS: String(commitMs),
      LOOP_DELAYS: delays,
    },
    preload: path.resolve(import.meta.dirname, "slow-disk-preload.ts"),
  });
  server.start();
  try {
    await server.listening();
    const counts = { messages: 0, early: 0, gaps: 0, wrongTexts: 0, wrongEnds: 0 };
    {
      using journal = createJournalReader(place.database);
      const ids = Array.from({ length: turns }, (_, index) => `turn-${index}`);
      for (const seen of await Promise.all(ids.map((id) => follow(server.url ?? "", id, journal)))) {
        for (const key of Object.keys(counts) as (keyof typeof counts)[]) counts[key] += seen[key];
      }
    }
    assert.equal(await server.stop(), 0, server.faults.join("\n"));
    return {
      lanes: turns * personas.length,
      messages: counts.messages,
      "sent before journalled": counts.early,
      "gaps in the numbers": counts.gaps,
      "wrong texts": counts.wrongTexts,
      "wrong ends": counts.wrongEnds,
      "faults in the server's log": server.faults.length,
      loopDelays: JSON.parse(await readFile(delays, "utf8")) as SlowDiskFigures["loopDelays"],
    };
  } finally {
    await server.kill();
  }
}

async function follow(url: string, id: string, journal: JournalReader) {
  const client = await connect(url);
  client.send({
    type: "multi_chat",
    id,
    data: {
      message: questionOf(id),
      persona_ids: personas,
      conversation_id: "new",
      pacing: { mode: "raw" },
    },
  });
  const messages: ServerMessage[] = [];
  let early = 0;
  for (;;) {
    const message = await client.next((one) => "seq" in one);
    if (!("seq" in message)) continue;
    messages.push(message);
    if (!journal.holds(id, Number(message.seq))) early += 1;
    if (isTerminal(message)) break;
  }
  client.terminate();
  const gaps = messages.filter((message, index) => "seq" in message && message.seq !== index + 1).length;
  const wrongTexts = personas.filter((voice) => textOf(messages, voice) !== answerTo(id, voice)).length;
  const wrongEnds = messages.at(-1)?.type === "response" ? 0 : 1;
  return { messages: messages.length, early, gaps, wrongTexts, wrongEnds };
}

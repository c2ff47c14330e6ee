import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { type CountingUpstream, createCountingUpstream } from "../crash/counting-upstream.ts";
import { answerTo, namelessVoice, questionOf } from "../crash/numbered-answer.ts";
import { createServerProcess, troupeEnvironment } from "../crash/server-process.ts";
import { connect, isTerminal, textOf, type WireClient } from "../support/wire-client.ts";

export interface Outage {
  readonly data: string;
  /** See `ServerProcessOptions`. */
  readonly preload?: string;
  readonly variables?: Readonly<Record<string, string>>;
  /** Makes all storing fail from now on. */
  readonly fail: (pid: number) => Promise<void>;
  /** Whether a small change still finds room for its row, so that it need not be refused. Default false. */
  readonly hasRoomForChanges?: boolean;
  /** Makes storing work again. */
  readonly mend: (pid: number) => Promise<void>;
}

/** So slow that storage can fail in the middle. */
const slow = { mode: "fixed", chunk_chars: 12, interval_ms: 200 };
const raw = { mode: "raw" };
const personas = ["teacher", "skeptic"];

/** A request of each kind, with the kind in its id. */
const asks = {
  openai_chat: (id: string, pacing: object) => ({
    type: "openai_chat",
    id,
    data: { input_text: questionOf(id), pacing },
  }),
  chat: (id: string, pacing: object) => ({
    type: "chat",
    id,
    data: { message: questionOf(id), persona_id: "teacher", conversation_id: "new", pacing },
  }),
  multi_chat: (id: string, pacing: object) => ({
    type: "multi_chat",
    id,
    data: { message: questionOf(id), persona_ids: personas, conversation_id: "new", pacing },
  }),
};
const kinds = Object.keys(asks) as (keyof typeof asks)[];
const voicesOf = (kind: keyof typeof asks) =>
  ({ openai_chat: [namelessVoice], chat: ["teacher"], multi_chat: personas })[kind];

/**
 * Runs a real server whose storage fails in the middle of answers and works again later. Running requests must end as
 * `storage_unavailable`, new ones must be refused before any provider is called, and stored answers must still be served.
 * Afterwards everything must work again, with the same answers. Rejects otherwise; returns the server's log lines about
 * errors.
 */
export async function runOutage({
  data,
  preload,
  variables,
  fail,
  mend,
  hasRoomForChanges = false,
}: Outage): Promise<readonly string[]> {
  await using upstream = await createCountingUpstream({ delayMs: () => 5 });
  const server = createServerProcess({
    environment: { ...troupeEnvironment({ data, upstreamUrl: upstream.baseUrl }), ...variables },
    ...(preload === undefined ? {} : { preload }),
  });
  server.start();
  try {
    await server.listening();
    const client = await connect(server.url ?? "");
    for (const kind of kinds) client.send(asks[kind](`before-${kind}`, raw));
    for (const kind of kinds) await client.untilTerminal(`before-${kind}`);

    for (const kind of kinds) client.send(asks[kind](`cut-${kind}`, slow));
    for (const kind of kinds) await firstTexts(client, kind);
    await fail(server.pid);
    const told = new Map<string, readonly ServerMessage[]>();
    for (const kind of kinds) {
      const messages = await client.untilTerminal(`cut-${kind}`);
      checkCut(messages, kind);
      told.set(kind, messages);
    }
    const http = (server.url ?? "").replace("ws:", "http:").replace("/ws", "");
    await checkOutage(client, upstream, http, hasRoomForChanges ? [200, 503] : [503]);
    await mend(server.pid);
    while ((await fetch(`${http}/readyz`)).status !== 200) await sleep(100);
    for (const kind of kinds) client.send(asks[kind](`refused-${kind}`, raw));
    for (const kind of kinds) {
      const messages = await client.untilTerminal(`refused-${kind}`);
      assert.equal(messages.at(-1)?.type, "response");
      for (const voice of voicesOf(kind)) assert.equal(upstream.callsFor(`refused-${kind}`, voice), 1);
    }
    // The ends that could not be stored are stored now, under numbers that no other message had.
    const ends = new Map<string, readonly ServerMessage[]>();
    for (const kind of kinds) {
      client.send({ type: "resume", data: { request_id: `cut-${kind}`, after_seq: 0 } });
      await client.next(({ type }) => type === "resumed");
      await client.next(isTerminal);
      const from = client.received.findLastIndex(({ type }) => type === "resumed") + 1;
      const messages = client.received.slice(from);
      checkKept(messages, told.get(kind) ?? [], kind);
      ends.set(kind, messages);
    }
    client.terminate();
    const status = await server.stop();
    const { faults } = server;
    assert.equal(status, 0, faults.join("\n"));
    server.start();
    await server.listening();
    const back = await connect(server.url ?? "");
    for (const kind of kinds) {
      back.send({ type: "resume", data: { request_id: `cut-${kind}`, after_seq: 0 } });
      assert.deepEqual((await back.untilTerminal(`cut-${kind}`)).slice(1), ends.get(kind));
      await checkStored(http, told.get(kind) ?? [], kind);
    }
    back.terminate();
    await server.stop();
    return faults;
  } finally {
    await server.kill();
  }
}

/** Settles when each lane of the request has shown some text. */
async function firstTexts(client: WireClient, kind: keyof typeof asks): Promise<void> {
  for (const voice of voicesOf(kind)) {
    const isText = (message: ServerMessage) =>
      message.type === "chunk" &&
      message.request_id === `cut-${kind}` &&
      (message.persona_id ?? namelessVoice) === voice;
    if (!client.received.some(isText)) await client.next(isText);
  }
}

/**
 * Checks that the request ended without a number, because its end is not stored, and that the text shown is the start of
 * the answer.
 */
function checkCut(messages: readonly ServerMessage[], kind: keyof typeof asks): void {
  const end = messages.at(-1);
  assert.ok(
    end?.type === "error" && end.code === "storage_unavailable" && end.retryable && end.seq === undefined,
    JSON.stringify(end),
  );
  assert.ok((end.retry_after_ms ?? 0) > 0 && end.in_reply_to === undefined);
  assert.equal(messages.filter(isTerminal).length, 1);
  assert.deepEqual(
    messages.slice(0, -1).map((message) => "seq" in message && message.seq),
    messages.slice(0, -1).map((_, index) => index + 1),
  );
  for (const voice of voicesOf(kind)) {
    const lane = messages.filter(
      (message) => (("persona_id" in message && message.persona_id) || "") === voice,
    );
    const text = textOf(lane);
    assert.ok(text !== "" && answerTo(`cut-${kind}`, voice).startsWith(text), text);
    assert.equal(lane.filter((message) => message.type === "chunk" && message.is_final).length, 0);
  }
}

/** Checks that the request holds the messages told before, then the last chunk of each lane and its end, all numbered. */
function checkKept(
  messages: readonly ServerMessage[],
  told: readonly ServerMessage[],
  kind: keyof typeof asks,
): void {
  const before = told.slice(0, -1);
  assert.deepEqual(messages.slice(0, before.length), before);
  const ends = messages.slice(before.length);
  const end = ends.at(-1);
  assert.ok(end?.type === "error" && end.code === "storage_unavailable" && end.seq === messages.length);
  assert.equal(ends.length, voicesOf(kind).length + 1);
  for (const message of ends.slice(0, -1)) assert.ok(message.type === "chunk" && message.is_final);
}

async function checkOutage(
  client: WireClient,
  upstream: CountingUpstream,
  http: string,
  changeStatus: readonly number[],
): Promise<void> {
  for (const kind of kinds) {
    const id = `refused-${kind}`;
    client.send(asks[kind](id, raw));
    const refusal = await client.next(
      (message) => message.type === "error" && message.in_reply_to?.id === id,
    );
    assert.ok(refusal.type === "error" && refusal.code === "storage_unavailable" && refusal.retryable);
    assert.ok((refusal.retry_after_ms ?? 0) > 0);
    for (const voice of voicesOf(kind)) assert.equal(upstream.callsFor(id, voice), 0);
  }
  const ready = await fetch(`${http}/readyz`);
  assert.deepEqual(
    [ready.status, await ready.json()],
    [503, { status: "not_ready", reason: "storage_unavailable" }],
  );
  assert.equal((await fetch(`${http}/healthz`)).status, 200);
  assert.equal((await fetch(`${http}/`)).status, 200);
  const { matches } = (await (await fetch(`${http}/api/conversations?q=before`)).json()) as {
    matches: { conversation_id: string }[];
  };
  assert.ok(matches.length >= 2);
  const conversation = `${http}/api/conversations/${matches[0]?.conversation_id}`;
  assert.equal((await fetch(conversation)).status, 200);
  const renamed = await fetch(conversation, {
    method: "PATCH",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ title: "Other" }),
  });
  assert.ok(changeStatus.includes(renamed.status), String(renamed.status));
  for (const kind of kinds) {
    const reader = await connect(http.replace("http:", "ws:").concat("/ws"));
    reader.send({ type: "resume", data: { request_id: `before-${kind}`, after_seq: 0 } });
    assert.equal((await reader.untilTerminal(`before-${kind}`)).at(-1)?.type, "response");
    reader.terminate();
  }
  // A request that is not to be stored needs no storage.
  const unstored = { input_text: questionOf("unstored"), options: { store: false }, pacing: raw };
  client.send({ type: "openai_chat", id: "unstored", data: unstored });
  assert.equal((await client.untilTerminal("unstored")).at(-1)?.type, "response");
}

/** Checks that the text shown is in its conversation. */
async function checkStored(
  http: string,
  told: readonly ServerMessage[],
  kind: keyof typeof asks,
): Promise<void> {
  if (kind === "openai_chat") return;
  const id = `cut-${kind}`;
  const found = (await (
    await fetch(`${http}/api/conversations?q=${encodeURIComponent(`"<${id}>"`)}`)
  ).json()) as {
    matches: { conversation_id: string }[];
  };
  const read = (await (
    await fetch(`${http}/api/conversations/${found.matches[0]?.conversation_id}`)
  ).json()) as { messages: { role: string; persona_id?: string; text: string; status: string }[] };
  for (const voice of voicesOf(kind)) {
    const stored = read.messages.filter(({ persona_id }) => persona_id === voice);
    assert.deepEqual(
      stored.map(({ text, status }) => [text, status]),
      [[textOf(told, voice), "failed"]],
    );
  }
}

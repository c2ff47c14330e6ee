import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import type { Gate } from "../doubles/script.ts";
import type { UpstreamDouble } from "../doubles/upstream-double.ts";
import type { RunningTroupe } from "../support/start-troupe.ts";
import { textOf } from "../support/wire-client.ts";
import { chat, readJson, wholeText } from "./gated-cluster.ts";

/** Two servers that share their stores, and a provider that stops in the middle of its answer until the gate opens. */
interface GatedServers extends AsyncDisposable {
  readonly first: Pick<RunningTroupe, "connect" | "httpUrl">;
  readonly second: Pick<RunningTroupe, "connect" | "httpUrl">;
  readonly gate: Gate;
  readonly upstream: UpstreamDouble;
}

const isChunk = (message: ServerMessage) => message.type === "chunk";
const isError = (message: ServerMessage) => message.type === "error";

/**
 * The behaviour of any server for its clients, wherever their requests run. `hearEachOther`: a server is told why another one
 * refuses to stop a lane, and of short turns.
 */
export function describeTurnsElsewhere(
  name: string,
  start: () => Promise<GatedServers>,
  { hearEachOther = true } = {},
): void {
  describe(`turns elsewhere: ${name}`, () => {
    it("a request that was asked on one server is resumed on another, in its middle and after its end", async () => {
      await using system = await start();
      const asking = await system.first.connect();
      asking.send(chat("shared"));
      await asking.next(isChunk);
      const seen = asking.received.length;
      asking.terminate();
      const client = await system.second.connect();
      client.send({ type: "resume", data: { request_id: "shared", after_seq: seen } });
      const resumed = await client.next();
      assert.ok(resumed.type === "resumed" && resumed.state === "running" && resumed.head_seq >= seen);
      system.gate.open();
      const rest = (await client.untilTerminal("shared")).slice(1);
      assert.equal(textOf([...asking.received.slice(0, seen), ...rest]), wholeText);
      assert.deepEqual(
        rest.map((message) => "seq" in message && message.seq),
        rest.map((_, index) => seen + 1 + index),
      );
      const late = await system.second.connect();
      late.send({ type: "resume", data: { request_id: "shared", after_seq: 0 } });
      const replay = await late.untilTerminal("shared");
      assert.ok(replay[0]?.type === "resumed" && replay[0].state === "ended");
      assert.equal(textOf(replay), wholeText);
      assert.equal(system.upstream.requests.length, 1);
    });

    it("the same request sent to both servers at once is answered once, and both see the same", async () => {
      await using system = await start();
      system.gate.open();
      const clients = [await system.first.connect(), await system.second.connect()];
      for (const client of clients) client.send(chat("twice", { conversation_id: "new" }));
      const [here, there] = await Promise.all(clients.map((client) => client.untilTerminal("twice")));
      assert.deepEqual(here, there);
      assert.equal(textOf(here ?? []), wholeText);
      assert.equal(system.upstream.requests.length, 1);
      clients[1]?.send({ ...chat("twice"), data: { ...chat("twice").data, message: "Other." } });
      const refused = await clients[1]?.next(isError);
      assert.ok(refused?.type === "error" && refused.code === "request_id_conflict");
    });

    it("a request is stopped from another server, upstream as well", async () => {
      await using system = await start();
      const asking = await system.first.connect();
      asking.send(chat("stopped"));
      await asking.next(isChunk);
      const client = await system.second.connect();
      client.send({ type: "cancel", data: { request_id: "stopped" } });
      const terminal = (await asking.untilTerminal("stopped")).at(-1);
      assert.ok(terminal?.type === "response" && terminal.status === "cancelled");
      await system.upstream.closed(await system.upstream.received(1));
      client.send({ type: "cancel", data: { request_id: "stopped" } });
      const refused = await client.next(isError);
      assert.ok(refused.type === "error" && refused.code === "request_ended");
      client.send({ type: "cancel", data: { request_id: "never" } });
      const unknown = await client.next(isError);
      assert.ok(unknown.type === "error" && unknown.code === "request_not_found");
    });

    it("every server reports the state of a request", async () => {
      await using system = await start();
      const asking = await system.first.connect();
      asking.send(chat("state"));
      await asking.next(isChunk);
      const state = () =>
        readJson<{ state: string; head_seq: number; status?: string }>(system.second, "requests/state");
      const running = await state();
      assert.deepEqual([running.state, running.head_seq > 0], ["running", true]);
      system.gate.open();
      await asking.untilTerminal("state");
      const ended = await state();
      assert.deepEqual([ended.state, ended.status], ["ended", "completed"]);
    });

    if (!hearEachOther) return;

    it("one lane is stopped from another server; one that is not there or has ended is refused", async () => {
      await using system = await start();
      const asking = await system.first.connect();
      const data = { message: "Count.", persona_ids: ["teacher", "skeptic"], pacing: { mode: "raw" } };
      asking.send({ type: "multi_chat", id: "lanes", data });
      for (const lane of data.persona_ids)
        await asking.next((message) => message.type === "chunk" && message.persona_id === lane);
      const client = await system.second.connect();
      const stop = (persona_id: string) =>
        client.send({ type: "cancel", data: { request_id: "lanes", persona_id } });
      stop("historian");
      const unknown = await client.next(isError);
      assert.ok(unknown.type === "error" && unknown.code === "persona_not_found");
      stop("teacher");
      const lane = await asking.next((message) => message.type === "persona_response");
      assert.ok(lane.type === "persona_response" && lane.status === "cancelled");
      stop("teacher");
      const ended = await client.next(isError);
      assert.ok(ended.type === "error" && ended.code === "request_ended");
      system.gate.open();
      const terminal = (await asking.untilTerminal("lanes")).at(-1);
      assert.ok(terminal?.type === "response" && terminal.status === "completed");
    });

    it("a conversation is followed on another server: running turns, later ones, and the questions", async () => {
      await using system = await start();
      const asking = await system.first.connect();
      asking.send({ ...chat("opening"), data: { ...chat("").data, conversation_id: "new" } });
      await asking.next(isChunk);
      const { conversation_id } = await readJson<{ conversation_id: string }>(
        system.second,
        "requests/opening",
      );
      const client = await system.second.connect();
      client.send({ type: "follow", data: { conversation_id } });
      assert.deepEqual(await client.next(), {
        ...{ type: "following", conversation_id, running: ["opening"] },
        last_request_id: "opening",
      });
      const question = await client.next();
      assert.ok(question.type === "question" && question.request_id === "opening");
      assert.equal(question.message, "Count.");
      system.gate.open();
      const own = await asking.untilTerminal("opening");
      assert.deepEqual((await client.untilTerminal("opening")).slice(1), own);
      asking.send(chat("second", { conversation_id, message: "Again." }));
      const later = await asking.untilTerminal("second");
      const followed = await client.untilTerminal("second");
      assert.ok(followed[0]?.type === "question" && followed[0].message === "Again.");
      assert.deepEqual(followed.slice(1), later);
    });
  });
}

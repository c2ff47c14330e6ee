import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { textOf } from "../support/wire-client.ts";
import { countingDemo } from "./python/counting-demo.ts";
import { startCuttingProxy } from "./python/cutting-proxy.ts";
import {
  clientFile,
  framesOf,
  runClient,
  startClient,
  startPython,
  withPython,
} from "./python/python-client.ts";

const cast = ["tech_enthusiast", "creative_writer", "data_scientist"];
/** So slow that no answer ends by itself during a test. */
const endless = ["--pacing", '{"mode":"fixed","interval_ms":10000,"chunk_chars":10}'];

function finalOf(frames: readonly ServerMessage[]) {
  const last = frames.at(-1);
  assert.ok(last?.type === "response", JSON.stringify(last));
  return { ...last, data: last.data as Record<string, unknown> };
}

/** Checks the documented flow of one lane: only the last chunk is final, and no chunk is longer than allowed. */
function assertLane(lane: readonly ServerMessage[], maxChars: number): void {
  const texts = lane.flatMap((frame) => (frame.type === "chunk" ? [frame.chunk] : []));
  assert.ok(texts.length > 1);
  for (const text of texts) assert.ok([...text].length <= maxChars, text);
  const chunks = texts.map((_, index) => `chunk ${index === texts.length - 1}`);
  const flow = lane.map((frame) => {
    if (frame.type === "chunk") return `chunk ${frame.is_final}`;
    return frame.type === "status" ? frame.status : frame.type;
  });
  assert.deepEqual(flow, ["starting", "processing", "streaming", ...chunks, "completed"]);
}

/** The specification's requests as it prints them, except for the id of an earlier response, which is left out or real. */
const documented = {
  openaiChat: (previous: string) => `{
  "type": "openai_chat",
  "data": {
    "input_text": "Your message here",
    "model": "gpt-4o-mini",${previous}
    "tools": [{"type": "web_search"}],
    "include_reasoning": false
  }
}`,
  chat: `{
  "type": "chat",
  "data": {
    "message": "What's your favorite programming language?",
    "persona_id": "tech_enthusiast",
    "api": "openai",
    "model": "gpt-4o-mini",
    "temperature": 0.7,
    "max_tokens": 1000
  }
}`,
  multiChat: `{
  "type": "multi_chat",
  "data": {
    "message": "What do you think about AI?",
    "persona_ids": ["tech_enthusiast", "creative_writer", "data_scientist"],
    "api": "openai",
    "model": "gpt-4o-mini",
    "temperature": 0.7,
    "max_tokens": 1000
  }
}`,
};

/** Knows only the specification: sends one text and prints the messages that arrive. */
const bareClient = `
import asyncio, json, sys, websockets
async def main(url, text):
    async with websockets.connect(url) as socket:
        await socket.send(text)
        async for message in socket:
            print(message)
            if json.loads(message)["type"] in ("response", "error"):
                break
asyncio.run(main(*sys.argv[1:]))
`;

test("the specification's own requests get the documented flow", withPython, async () => {
  await using server = await startTroupe();
  const ask = async (frame: string) => framesOf(await startPython("-c", bareClient, server.url, frame).ended);

  const first = await ask(documented.openaiChat(""));
  const previous = `\n    "previous_response_id": "${finalOf(first).data.id}",`;
  for (const frames of [first, await ask(documented.openaiChat(previous))]) {
    const lane = frames.slice(0, -1).filter((frame) => frame.type !== "tool");
    assertLane(lane, 50);
    const [starting, processing] = lane.map((frame) => "message" in frame && frame.message);
    assert.deepEqual([starting, processing], ["Initializing...", "Sending request..."]);
    const { status, data } = finalOf(frames);
    assert.deepEqual([status, data.output_text], ["completed", textOf(frames)]);
  }

  const chat = await ask(documented.chat);
  assertLane(chat.slice(0, -1), 30);
  const { status, data } = finalOf(chat);
  assert.deepEqual([status, data.response, data.persona_id], ["completed", textOf(chat), "tech_enthusiast"]);

  const multiChat = await ask(documented.multiChat);
  for (const [index, personaId] of cast.entries()) {
    const lane = multiChat.filter((frame) => "persona_id" in frame && frame.persona_id === personaId);
    const answer = lane.pop();
    assertLane(lane, 30);
    assert.ok(answer?.type === "persona_response");
    assert.deepEqual([answer.index, answer.response], [index, textOf(lane)]);
    assert.ok(String(finalOf(multiChat).data.combined).includes(answer.response));
  }
});

/** The text printed after one name. */
function linesOf(stdout: string, name: string): string {
  const parts = stdout.split("\n").map((line) => line.split(" | ", 2));
  return parts.flatMap(([by, text]) => (by?.trim() === name ? [text] : [])).join("\n");
}

test("each command prints the text that --raw prints, and takes every field", withPython, async () => {
  await using server = await startTroupe(countingDemo());
  const shared = "--model gpt-4o-mini --on-disconnect 5000 --pacing raw";
  const persona = `${shared} --api openai --temperature 0.7 --max-tokens 1000 --conversation-id new`;
  const commands = {
    openai_chat: `${shared} --include-reasoning --tools [{"type":"web_search"}] --options {"store":false}`,
    chat: `${persona} --persona historian`,
    multi_chat: `${persona} --personas ${cast.join(" ")}`,
  };
  for (const [kind, options] of Object.entries(commands)) {
    const ask = (...more: string[]) => runClient(server.url, kind, "Why?", ...options.split(" "), ...more);
    const frames = framesOf(await ask("--raw"));
    assert.equal(finalOf(frames).seq, frames.length);
    const shown = await ask();
    assert.equal(shown.code, 0);
    assert.match(shown.stderr, /starting.*processing.*streaming.*completed/s);
    if (kind !== "multi_chat") assert.equal(shown.stdout, `${textOf(frames)}\n`);
    for (const personaId of kind === "multi_chat" ? cast : []) {
      const unstreamed = await ask("--no-stream");
      const text = textOf(frames, personaId);
      for (const { stdout } of [shown, unstreamed]) assert.equal(linesOf(stdout, personaId), text);
    }
  }
});

test("without a command it tours all three requests, also without ids", withPython, async () => {
  const { calls, providers } = countingDemo();
  await using server = await startTroupe({ providers, pacing: "raw" });
  for (const options of [[], ["--no-id"]]) {
    const { code, stderr } = await runClient(server.url, ...options);
    assert.equal(code, 0);
    assert.match(stderr, /\[openai_chat .*\[chat .*\[multi_chat /s);
  }
  assert.equal(calls.length, 2 * (2 + cast.length));
});

test("Ctrl-C cancels, prints the cancelled ending and leaves with 130", withPython, async () => {
  await using server = await startTroupe(countingDemo());
  for (const options of [[], ["--no-id"]]) {
    const { child, ended } = startClient(server.url, "chat", "Go on.", ...endless, ...options);
    await once(child.stdout, "data");
    child.kill("SIGINT");
    const { code, stderr } = await ended;
    assert.match(stderr, /\[cancelled .*"upstream_closed": true.*\]\n$/);
    assert.equal(code, 130);
  }
});

test("a second Ctrl-C leaves at once", withPython, async () => {
  await using server = await startTroupe(countingDemo());
  using proxy = await startCuttingProxy(server.url, []);
  const { child, ended } = startClient(proxy.url, "chat", "Go on.", ...endless);
  await once(child.stdout, "data");
  proxy.deaf.abort();
  child.kill("SIGINT");
  await proxy.unheard;
  child.kill("SIGINT");
  assert.equal((await ended).code, 130);
});

test("after any number of drops the text is whole and nothing was called twice", withPython, async () => {
  const { calls, providers } = countingDemo();
  await using server = await startTroupe({ providers });
  const ask = (url: string) => runClient(url, "multi_chat", "Why?", "--personas", ...cast, "--raw");
  const whole = framesOf(await ask(server.url));
  // Lets nothing arrive, then half a frame, then the first frames, then part of the answers twice.
  using proxy = await startCuttingProxy(server.url, [0, 5, 700, 3000, 4000]);
  const { code, stdout, stderr } = await ask(proxy.url);
  const frames = framesOf({ stdout });
  assert.deepEqual([code, stderr.match(/connection lost/g)?.length, calls.length], [0, 5, 2 * cast.length]);
  const seqs = frames.flatMap((frame) => ("seq" in frame ? [frame.seq] : []));
  assert.ok(seqs.length > 0 && seqs.every((seq, index) => seq === index + 1));
  for (const personaId of cast) assert.equal(textOf(frames, personaId), textOf(whole, personaId));
});

test("an impossible request is reported in one line, with a status of its own", withPython, async () => {
  await using server = await startTroupe(countingDemo());
  const refused = await runClient(server.url, "chat", "Hello", "--temperature", "hot");
  assert.match(refused.stderr, /error invalid_message: .*data\.temperature/);
  using proxy = await startCuttingProxy(server.url, []);
  proxy[Symbol.dispose]();
  const nobody = await runClient(proxy.url, "chat", "Hello");
  assert.match(nobody.stderr, /^Cannot connect to ws:\S+: connection refused\. .*npm start.*\n$/);
  // Without its site folders Python finds no packages.
  const missing = await startPython("-I", "-S", clientFile).ended;
  assert.match(missing.stderr, /^The package websockets is missing: .* -m pip install .*\n$/);
  assert.deepEqual([refused.code, nobody.code, missing.code], [1, 3, 1]);
});

test("as a library it pings, cancels a lane, and leaves a request early", withPython, async () => {
  await using server = await startTroupe(countingDemo());
  const script = `
import asyncio, json, os, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from websocket_test_client import TroupeClient, TroupeError
async def main():
    async with TroupeClient(sys.argv[2]) as client:
        async for _ in client.request("openai_chat", {"input_text": "Hi", "pacing": {"mode": "fixed"}}):
            break
        assert 0 < await client.ping()
        cast = {"message": "Hi", "persona_ids": ["historian", "skeptic"], "pacing": {"mode": "fixed"}}
        async for message in client.request("multi_chat", cast, "mine"):
            if message["type"] == "chunk" and message["persona_id"] == "skeptic":
                await client.cancel("mine", "skeptic")
        try:
            async for _ in client.request("chat", {"message": "Hi", "persona_id": "nobody"}):
                pass
        except TroupeError as error:
            answers = [answer["status"] for answer in message["data"]["responses"]]
            print(json.dumps([*answers, error.code, error.retryable]))
asyncio.run(main())`;
  const { stdout, stderr } = await startPython("-c", script, clientFile, server.url).ended;
  assert.equal(stdout, '["completed", "cancelled", "persona_not_found", false]\n', stderr);
});

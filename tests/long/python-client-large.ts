import assert from "node:assert/strict";
import { test } from "node:test";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { textOf } from "../support/wire-client.ts";
import { framesOf, runClient, startPython, withPython } from "./python/python-client.ts";

/** Knows only the specification, and the default limit of a message in `websockets`: 1 MiB. */
const bareClient = `
import asyncio, json, sys, websockets
async def main(url):
    async with websockets.connect(url) as socket:
        await socket.send(json.dumps({"type": "openai_chat", "data": {"input_text": "Hi"}}))
        chars = 0
        async for text in socket:
            message = json.loads(text)
            chars += len(message.get("chunk", ""))
            if message["type"] == "response":
                return print(chars, message["status"])
asyncio.run(main(*sys.argv[1:]))
`;

test(
  "3,000,000 characters are read with the library's own limit, by our client and by a bare one",
  withPython,
  async () => {
    await using upstream = await createUpstreamDouble();
    const text = 'Ein "Zeichen"\n雨 👩‍🚀 '.repeat(3_000_000 / 20);
    upstream.respond(() => streamScript(answer({ deltas: text.match(/[\s\S]{1,50000}/gu) ?? [] })));
    await using server = await startTroupe({
      ...{ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl },
      pacing: "raw",
    });
    const run = await runClient(server.url, "--raw", "openai_chat", "Hi");
    assert.equal(run.code, 0, run.stderr.slice(-500));
    const frames = framesOf(run);
    assert.equal(textOf(frames), text);
    const last = frames.at(-1);
    assert.ok(last?.type === "response" && last.request_type === "openai_chat");
    assert.equal("output_text" in last.data && last.data.output_text, text);
    const bare = await startPython("-c", bareClient, server.url).ended;
    assert.equal(bare.stdout, `${[...text].length} completed\n`, bare.stderr.slice(-500));
  },
);

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { answer } from "../../doubles/answer.ts";
import type { Script, Step } from "../../doubles/script.ts";
import { streamHead } from "../../doubles/stream-script.ts";
import { createProviderSetup, reading } from "./provider-setup.ts";

const deltas = ["Rain ", "falls."];
const events = answer({ deltas });
const begun = events.slice(0, 2).join("");
const terminal = events.at(-1) ?? "";
const withoutEnd = events.slice(0, -1).join("");
const object = /data: (.*)/.exec(terminal)?.[1] ?? "";
const response = JSON.stringify(JSON.parse(object).response);

function head(contentType?: string): Step {
  const headers = contentType === undefined ? {} : { "content-type": contentType };
  return { head: { status: 200, headers, framing: "chunked" } };
}

/** Plays a body whose connection stays open. Time stands still, so only the body can end the call. */
async function playOpen(first: Step, ...writes: string[]) {
  await using at = await createProviderSetup();
  const script: Script = [first, ...writes.map((write) => ({ write })), { hang: true }];
  at.double.respond(script);
  const call = reading(at);
  const thrown = await call.ended;
  const given = call.batches.flat();
  const text = given.map((event) => (event.type === "text" ? event.text : "")).join("");
  const error = thrown instanceof TroupeError ? thrown : undefined;
  const reason = error?.cause instanceof Error ? error.cause.message : undefined;
  return { text, code: error?.code, reason, isWhole: given.at(-1)?.type === "end", left: at.clock.sleeping };
}

describe("an answer ends at once, although its connection stays open", () => {
  const forms: readonly [string, Step, readonly string[]][] = [
    ["response.completed", streamHead(), [events.join("")]],
    ["response.done", streamHead(), [withoutEnd, terminal.replaceAll("response.completed", "response.done")]],
    [
      "response.done and [DONE]",
      streamHead(),
      [withoutEnd, terminal.replaceAll("completed", "done"), "data: [DONE]\n\n"],
    ],
    [
      "its type in the event line alone",
      streamHead(),
      [withoutEnd, terminal.replace('"type":"response.completed",', "")],
    ],
    ["no content type", head(), [events.join("")]],
    ["an empty content type", head(""), [events.join("")]],
    ["text/plain", head("text/plain; charset=utf-8"), [events.join("")]],
    ["application/octet-stream", head("application/octet-stream"), [events.join("")]],
    ["application/x-ndjson", head("application/x-ndjson"), [events.join("")]],
    ["application/json", head("application/json"), [events.join("")]],
    ["text/html", head("text/html"), [events.join("")]],
    ["a byte order mark and blank lines", head(), [`\ufeff\r\n\r\n${events.join("")}`]],
    ["comments first", head("text/plain"), [`: welcome\n\n${events.join("")}`]],
    ["the response itself", head("application/json"), [response]],
    ["the response itself, in pieces", head("application/json"), [response.slice(0, 40), response.slice(40)]],
    ["the response itself, called a stream", streamHead(), [`\n ${response}\n`]],
  ];
  for (const [what, first, writes] of forms)
    it(what, async () => {
      const played = await playOpen(first, ...writes);
      assert.deepEqual(played, {
        text: "Rain falls.",
        code: undefined,
        reason: undefined,
        isWhole: true,
        left: 0,
      });
    });

  it("whose last event lacks its empty line, or its line end", async () => {
    for (const missing of [1, 2]) {
      await using at = await createProviderSetup();
      at.double.respond([streamHead(), { write: events.join("").slice(0, -missing) }]);
      const call = reading(at);
      assert.equal(await call.ended, undefined);
      assert.equal(call.batches.flat().at(-1)?.type, "end");
    }
  });
});

describe("a failure ends a call at once with the provider's reason, even if its connection stays open", () => {
  const reason = "The model has crashed.";
  const told = { code: "server_error", message: reason };
  const data = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
  const forms: readonly [string, Step, readonly string[]][] = [
    ["an error event", streamHead(), [data({ type: "error", ...told })]],
    ["an error event with an object", streamHead(), [data({ type: "error", error: told })]],
    ["an object without a type", streamHead(), [data({ error: told })]],
    [
      "an object in an event of another type",
      streamHead(),
      [data({ type: "response.output_text.delta", error: told })],
    ],
    ["a text", streamHead(), [data({ error: reason })]],
    ["a text in an error event", streamHead(), [data({ type: "error", error: reason })]],
    ["a detail", streamHead(), [data({ detail: reason })]],
    [
      "an object that says that it is an error",
      streamHead(),
      [data({ object: "error", type: "X", message: reason })],
    ],
    ["response.error", streamHead(), [data({ type: "response.error", ...told })]],
    ["response.failed", streamHead(), [data({ type: "response.failed", response: { error: told } })]],
    [
      "response.completed that failed",
      streamHead(),
      [data({ type: "response.completed", response: { status: "failed", error: told } })],
    ],
    ["an event line and an object", streamHead(), [`event: error\n${data(told)}`]],
    ["an event line and an object in an object", streamHead(), [`event: error\n${data({ error: told })}`]],
    ["an event line and a JSON text", streamHead(), [`event: error\n${data(reason)}`]],
    ["an event line and a text", streamHead(), [`event: error\ndata: ${reason}\n\n`]],
    ["an event line after its data", streamHead(), [`${data(told).slice(0, -1)}event: error\n\n`]],
    ["an event line in another packet", streamHead(), ["event: err", `or\n${data(told)}`]],
    ["an object in the place of a stream", head("application/json"), [JSON.stringify({ error: told })]],
    ["a text in the place of a stream", head("application/json"), [JSON.stringify({ error: reason })]],
    ["a list in the place of a stream", head("application/json"), [JSON.stringify([{ error: told }])]],
    ["an object in the place of a stream, without a type", head(), [JSON.stringify({ error: told })]],
  ];
  for (const [what, first, writes] of forms)
    it(what, async () => {
      const isBody = what.includes("place of a stream");
      const played = await playOpen(first, ...(isBody ? writes : [begun, ...writes]));
      assert.deepEqual(played, { text: "", code: "upstream_error", reason, isWhole: false, left: 0 });
    });

  it("an event line without any data", async () => {
    const { code } = await playOpen(streamHead(), begun, "event: error\n\n");
    assert.equal(code, "upstream_error");
  });

  it("the end marker where the answer has no end", async () => {
    const { code, text } = await playOpen(streamHead(), withoutEnd, "data: [DONE]\n\n");
    assert.deepEqual([code, text], ["upstream_truncated", "Rain falls."]);
    assert.equal((await playOpen(streamHead(), "data:[DONE] \n\n")).code, "upstream_empty");
  });

  for (const body of [
    "<html>Sign in</html>",
    "{}",
    "[]",
    '{"object":"list","data":[]}',
    '{"id":"chatcmpl-1","choices":[]}',
    '{"status":"queued","output":[]}',
  ])
    it(`a body that is no answer: ${body}`, async () => {
      assert.equal((await playOpen(head("application/json"), body)).code, "upstream_invalid");
    });

  it("a body of another type without any event, at its end", async () => {
    await using at = await createProviderSetup();
    at.double.respond([head("text/plain"), { write: "Service is starting.\n" }]);
    const thrown = await reading(at).ended;
    assert.ok(thrown instanceof TroupeError && thrown.code === "upstream_invalid");
  });
});

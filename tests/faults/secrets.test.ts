import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import type { Script } from "../doubles/script.ts";
import { httpError, plainResponse, streamHead } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { createFaultBench } from "./fault-bench.ts";

/** It has no hyphen, so that it could also be the name of a parameter. */
const canary = "sk_canary_5f0c7b1e9d";
const error = { message: `Bad key ${canary}.`, type: canary, code: canary, param: canary };
const echoingHeaders = { "x-request-id": canary, "x-echo": `Bearer ${canary}` };

function streamOf(data: string): Script {
  return [streamHead({ headers: echoingHeaders }), { write: `data: ${data}\n\n` }];
}

const statuses = [400, 401, 403, 404, 409, 422, 429, 500, 502, 503];
const echoes: [string, Script][] = [
  ...statuses.map((status): [string, Script] => [
    `${status} with an error object`,
    httpError(status, error, echoingHeaders),
  ]),
  ...statuses.map((status): [string, Script] => [
    `${status} with a page`,
    httpError(status, `<h1>Authorization: Bearer ${canary}</h1>`, echoingHeaders),
  ]),
  [
    "302 with the key in its address",
    plainResponse(302, "", { location: `http://127.0.0.1:9/?k=${canary}` }),
  ],
  ["200 with a page", plainResponse(200, `Bearer ${canary}`, echoingHeaders)],
  ["an error event", streamOf(JSON.stringify({ ...error, type: "error" }))],
  ["an error event with an error object", streamOf(JSON.stringify({ type: "error", error }))],
  ["an error object without a type", streamOf(JSON.stringify({ error }))],
  ["a failed response", streamOf(JSON.stringify({ type: "response.failed", response: { error } }))],
  ["a line that is no JSON", streamOf(canary)],
];

describe("the key of the provider is in no frame and no log line, although the upstream repeats it", () => {
  for (const [name, script] of echoes) {
    it(name, async () => {
      await using bench = await createFaultBench({
        openaiApiKey: canary,
        instantMs: 1_000,
      });
      bench.double.respond(script);
      bench.ask();
      const last = (await bench.untilTerminal()).at(-1);
      assert.equal(last?.type, "error");
      assert.ok(bench.double.requests.length > 0);
      for (const { headers } of bench.double.requests)
        assert.equal(headers.authorization, `Bearer ${canary}`);
      assert.ok(!JSON.stringify(bench.client.received).includes(canary), "a frame holds the key");
      assert.ok(bench.logged.length > 0, "the failure is logged");
      const leak = bench.logged.find((line) => line.includes(canary));
      assert.equal(leak, undefined, "a log line holds the key");
    });
  }
});

/** None of these words occurs in a message of the table. */
const words = ["Swordfish", "straße", "hütet", "42", "密码是海"];
const question = `${words.join(" ")} ${"ploverfield ".repeat(200)}`;
const half = question.slice(0, 40);
const quotes: [string, string][] = [
  ["whole", `Invalid value: '${question}'. Supported values are: 'auto'.`],
  ["in part, in other letters", `Bad input near ${half.toUpperCase()} and ${half.toLowerCase()}`],
  ["one word", "The input 'swordfish' is not allowed; nor is (42)."],
  ["as JSON writes it", `Bad input: "Swordfish stra\\u00dfe\\nh\\u00fctet"`],
  ["as an address has it", "Bad input: Swordfish%20h%C3%BCtet+ploverfield"],
  ["from its middle", `${"x".repeat(290)} swordfish ploverfield`],
];

describe("the text of a question is in no log line and in no error, although the upstream quotes it", () => {
  for (const [name, message] of quotes) {
    for (const [kind, script] of [
      ["an error object", httpError(400, { message, type: half, code: "Swordfish", param: "swordfish" })],
      ["a page", httpError(500, `<p>${message}</p>`, { "x-request-id": "swordfish" })],
      ["an error event", streamOf(JSON.stringify({ type: "error", message, code: half, param: "hütet" }))],
      [
        "a failed response",
        streamOf(JSON.stringify({ type: "response.failed", response: { error: { message } } })),
      ],
      ["a line that is no JSON", streamOf(question)],
    ] as const) {
      it(`${name}, in ${kind}`, async () => {
        await using bench = await createFaultBench({ instantMs: 1_000 });
        bench.double.respond(script);
        bench.client.send({ type: "openai_chat", id: "asked", data: { input_text: question } });
        const last = (await bench.untilTerminal()).at(-1);
        assert.equal(last?.type, "error");
        // A stack's line and column numbers are not a user's text.
        const logged = bench.logged.map((line) => line.replaceAll(/:\d+:\d+\)?/g, ""));
        const said = [...logged, JSON.stringify(bench.client.received)];
        for (const leak of [...words, "ploverfield"].map(
          (one) => new RegExp(`(?<![\\d.-])${one}(?![\\d.])`, "iu"),
        ))
          assert.equal(
            said.find((line) => leak.test(line)),
            undefined,
            String(leak),
          );
      });
    }
  }

  it("but the vendor's part is in the log: code, status, parameter, request and its own words", async () => {
    await using bench = await createFaultBench();
    const message = `Invalid value for 'temperature' beside "${question}".`;
    const error = { message, type: "invalid_request_error", code: "invalid_value", param: "temperature" };
    bench.double.respond(httpError(400, error));
    bench.client.send({ type: "openai_chat", id: "asked", data: { input_text: question } });
    const last = (await bench.untilTerminal()).at(-1);
    assert.ok(last?.type === "error" && last.message.endsWith("Parameter: temperature."));
    const line = bench.logged.find((one) => one.startsWith("a request failed: ")) ?? "";
    for (const kept of [
      "Parameter: temperature.",
      "400 Invalid value for 'temperature' beside",
      "invalid_value",
      "req_double",
    ])
      assert.ok(line.includes(kept), `${kept} in ${line}`);
    assert.ok(line.includes("[text]"));
  });
});

it("nor is it logged when a background response cannot be cancelled", async () => {
  const created = { type: "response.created", response: { id: "resp_1", object: "response", output: [] } };
  const delta = { type: "response.output_text.delta", delta: "Hm." };
  await using upstream = createServer((request, answer) => {
    request.resume();
    if (request.url?.endsWith("/cancel")) {
      answer.writeHead(401, { "content-type": "application/json" }).end(JSON.stringify({ error }));
      return;
    }
    answer.writeHead(200, { "content-type": "text/event-stream" });
    answer.write(`data: ${JSON.stringify(created)}\n\ndata: ${JSON.stringify(delta)}\n\n`);
  });
  await once(upstream.listen(0, "127.0.0.1"), "listening");
  const { port } = upstream.address() as AddressInfo;
  const openaiBaseUrl = `http://127.0.0.1:${port}/v1`;
  await using bench = await createFaultBench({ openaiApiKey: canary, openaiBaseUrl });
  bench.ask({ options: { background: true }, pacing: { mode: "raw" } });
  await bench.client.next((message) => message.type === "chunk");
  bench.client.send({ type: "cancel", data: { request_id: "asked" } });
  const last = (await bench.untilTerminal()).at(-1);
  assert.ok(last?.type === "response" && last.status === "cancelled");
  assert.ok(
    bench.logged.some((line) => line.startsWith("A background response could not be cancelled. (401")),
  );
  assert.ok(!bench.logged.some((line) => line.includes(canary)), "a log line holds the key");
});

describe("a redirect", () => {
  for (const status of [301, 302, 303, 307, 308]) {
    it(`${status} is not followed, and no other host hears of the key`, async () => {
      await using elsewhere = await createUpstreamDouble();
      await using bench = await createFaultBench({ openaiApiKey: canary });
      bench.double.respond(plainResponse(status, "", { location: `${elsewhere.baseUrl}/responses` }));
      bench.ask();
      const last = (await bench.untilTerminal()).at(-1);
      assert.ok(last?.type === "error");
      assert.equal(last.code, "upstream_invalid");
      assert.deepEqual(
        bench.double.requests.map(({ headers }) => headers.authorization),
        [`Bearer ${canary}`],
      );
      assert.equal(elsewhere.requests.length + elsewhere.sideRequests.length, 0);
      assert.equal(elsewhere.openConnections(), 0);
    });
  }
});

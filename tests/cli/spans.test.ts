import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { z } from "zod";
import { connect } from "../support/wire-client.ts";
import { startCli } from "./start-cli.ts";

const attribute = z.object({ key: z.string(), value: z.object({ stringValue: z.string().optional() }) });
const exported = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(attribute) }),
      scopeSpans: z.array(z.object({ spans: z.array(z.object({ name: z.string() })) })),
    }),
  ),
});

/** A collector that keeps the bodies that it is sent. */
async function startCollector() {
  const bodies: { readonly path: string | undefined; readonly body: string }[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      bodies.push({ path: request.url, body });
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    bodies,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

for (const workers of ["1", "2"])
  test(`a server with TROUPE_WORKERS=${workers} sends the spans of its requests, the last ones at its stop`, async () => {
    await using collector = await startCollector();
    await using run = await startCli(["--port=0"], {
      ...{ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, TROUPE_NODE_NAME: "node-2", TROUPE_WORKERS: workers },
    });
    const client = await connect(`ws://127.0.0.1:${await run.listening()}/ws`);
    const data = { message: "A secret question", persona_id: "teacher", pacing: { mode: "raw" } };
    client.send({ type: "chat", id: "r", data });
    await client.untilTerminal("r");
    client.terminate();
    run.child.kill("SIGTERM");
    assert.equal(await run.ended, 0);
    const sent = collector.bodies.map(({ path, body }) => {
      assert.equal(path, "/v1/traces");
      return exported.parse(JSON.parse(body));
    });
    const [resource] = sent.flatMap(({ resourceSpans }) => resourceSpans);
    const named = new Map(resource?.resource.attributes.map(({ key, value }) => [key, value.stringValue]));
    assert.deepEqual([named.get("service.name"), named.get("service.instance.id")], ["troupe", "node-2"]);
    const spans = sent.flatMap(({ resourceSpans }) =>
      resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
    );
    assert.deepEqual(spans.map(({ name }) => name).sort(), ["chat demo", "turn persona"]);
    assert.doesNotMatch(JSON.stringify(collector.bodies), /secret/);
  });

test("a collector that is gone neither stops answers nor the stop, and is told once", async () => {
  await using run = await startCli(["--port=0"], { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" });
  const client = await connect(`ws://127.0.0.1:${await run.listening()}/ws`);
  client.send({
    type: "chat",
    id: "r",
    data: { message: "Hello", persona_id: "teacher", pacing: { mode: "raw" } },
  });
  const end = (await client.untilTerminal("r")).at(-1);
  assert.equal(end?.type, "response");
  client.terminate();
  run.child.kill("SIGTERM");
  assert.equal(await run.ended, 0);
  assert.ok((run.errors().match(/spans could not be sent/g)?.length ?? 0) <= 1, run.errors());
});

test("a server without the packages for spans says how to install them, and starts without the setting", async () => {
  const preload = new URL("without-opentelemetry-preload.ts", import.meta.url);
  const environment = { NODE_OPTIONS: `--import=${preload.href}` };
  await using asked = await startCli(["--port=0"], {
    ...environment,
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
  });
  assert.equal(await asked.ended, 1);
  assert.match(
    asked.errors(),
    /^troupe: OTEL_EXPORTER_OTLP_ENDPOINT needs more packages: npm install @opentelemetry\/sdk-trace [^\n]+\n$/,
  );
  await using run = await startCli(["--port=0"], environment);
  await run.listening();
});

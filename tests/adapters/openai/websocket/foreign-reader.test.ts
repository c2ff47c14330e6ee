import assert from "node:assert/strict";
import { it } from "node:test";
import OpenAI from "openai";
import { ResponsesWS } from "openai/resources/responses/ws";
import { answer } from "../../../doubles/answer.ts";
import { streamScript } from "../../../doubles/stream-script.ts";
import { createSocketSetup, readCall } from "./read-call.ts";

// The vendor's own client reads the double as we do, and sends the same request: so neither side is ours alone.
it("OpenAI's own client and ours get the same answer from the double, by the same request", async () => {
  await using at = await createSocketSetup();
  at.double.respond(streamScript(answer({ deltas: ["Rain ", "fällt."] })));
  const ours = await readCall(at);
  const [sent] = at.double.requests;

  const client = new OpenAI({ apiKey: "key-of-a-test", baseURL: at.double.baseUrl });
  const socket = new ResponsesWS(client);
  const completed = Promise.withResolvers<unknown>();
  let text = "";
  socket.on("response.output_text.delta", ({ delta }) => {
    text += delta;
  });
  socket.on("response.completed", ({ response }) => completed.resolve(response));
  socket.on("error", completed.reject);
  socket.send({ type: "response.create", model: "gpt-4o-mini", input: "Well?" });
  const response = await completed.promise;
  socket.close();

  const end = ours.events.at(-1);
  assert.ok(end?.type === "end");
  assert.deepEqual([text, response], [ours.text, end.response]);
  const [, theirs] = at.double.requests;
  assert.deepEqual(sent?.body, theirs?.body);
  for (const name of ["authorization", "upgrade", "sec-websocket-version"])
    assert.equal(sent?.headers[name], theirs?.headers[name]);
  assert.equal(sent?.path, theirs?.path);
});

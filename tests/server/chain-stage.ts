import assert from "node:assert/strict";
import type { TroupeConfig } from "../../src/compose/config-file.ts";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { done, finish, text, usageChunk } from "../adapters/chat-completions/chat-setup.ts";
import { httpError, streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble, type UpstreamDouble } from "../doubles/upstream-double.ts";
import { createNotingObserver } from "../support/noting-observer.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import type { WireClient } from "../support/wire-client.ts";

const key = "key-of-a-test";
export const spareAnswer = streamScript([text("From the spare."), finish("stop"), usageChunk, done]);
export const failing = httpError(500, { message: "No.", type: "server_error", code: null });
export const refused = (param: string) =>
  httpError(400, { message: "No.", type: "invalid_request_error", code: null, param });
export const tooLong = httpError(400, {
  ...{ message: "Too long.", type: "invalid_request_error", code: "context_length_exceeded" },
});

/** A server with an endpoint of the Responses API, and one or two of Chat Completions that stand in for it. */
export async function openStage({
  links,
  ...options
}: TroupeOptions & { links?: TroupeConfig["fallback"] } = {}) {
  const stack = new AsyncDisposableStack();
  const [house, spare, last] = [
    stack.use(await createUpstreamDouble({ models: ["house-1"] })),
    stack.use(await createUpstreamDouble({ models: ["spare-1"] })),
    stack.use(await createUpstreamDouble({ models: ["last-1"] })),
  ];
  spare.respond(spareAnswer);
  last.respond(streamScript([text("From the last."), finish("stop"), done]));
  const at = (kind: "responses" | "chat-completions", { baseUrl }: UpstreamDouble, model: string) => ({
    ...{ kind, baseUrl, key, model },
  });
  const clock = createTestClock({ instantMs: 9_000 });
  const noted = createNotingObserver();
  const start = async (more: TroupeOptions = {}) =>
    stack.use(
      await startTroupe({
        configuration: {
          providers: {
            house: at("responses", house, "house-1"),
            spare: at("chat-completions", spare, "spare-1"),
            last: at("chat-completions", last, "last-1"),
          },
          fallback: links ?? { house: ["spare"] },
        },
        ...{ pacing: "raw", clock, random: () => 0, observer: noted.observer },
        ...options,
        ...more,
      }),
    );
  const server = await start();
  const client = await server.connect();
  return {
    ...{ house, spare, last, server, client, clock, noted, start },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export async function ask(client: WireClient, data: object = {}, type = "openai_chat") {
  const asked = type === "openai_chat" ? { input_text: "Well?" } : { message: "Well?" };
  client.send({ type, data: { ...asked, ...data } });
  const messages = await client.untilTerminal();
  const end = messages.at(-1) ?? assert.fail("there is no end");
  const details = messages.flatMap((one) => (one.type === "status" && one.detail ? [one.detail] : []));
  return { messages, end, details };
}

export const bodyOf = ({ requests }: UpstreamDouble) => requests.at(-1)?.body as Record<string, unknown>;
export const answerOf = ({ end }: Awaited<ReturnType<typeof ask>>) => {
  assert.ok(end.type === "response" && end.request_type === "openai_chat", JSON.stringify(end));
  return [end.data.output_text, end.data.api];
};
export const errorOf = ({ end }: Awaited<ReturnType<typeof ask>>) => {
  assert.ok(end.type === "error", JSON.stringify(end));
  return end;
};
export const moved = (code: string, failed: number, api: string) => ({
  ...{ retry: failed, delay_ms: 0, code, api, model: `${api}-1` },
});
export const fiveTimes = async (stage: Awaited<ReturnType<typeof openStage>>) => {
  for (let asked = 0; asked < 3; asked += 1) await ask(stage.client);
};

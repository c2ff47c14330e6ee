import assert from "node:assert/strict";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { says } from "../adapters/anthropic/anthropic-setup.ts";
import * as chat from "../adapters/chat-completions/chat-setup.ts";
import * as gemini from "../adapters/gemini/gemini-setup.ts";
import { answer } from "../doubles/answer.ts";
import type { Script } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";

export const apis = ["house", "claude", "google", "llama"] as const;
export type Api = (typeof apis)[number];

/** A whole answer of one text, as each API streams it. */
const saysOver: Readonly<Record<Api, (text: string) => Script>> = {
  house: (text) => streamScript(answer({ text })),
  claude: (text) => streamScript([says(text)]),
  google: (text) => streamScript([gemini.text(text), gemini.finish("STOP")]),
  llama: (text) => streamScript([chat.text(text), chat.finish("stop"), chat.usageChunk, chat.done]),
};

/** A server with an endpoint for each of the four APIs, and a double behind it. */
export async function startFourApis(options: TroupeOptions = {}) {
  const stack = new AsyncDisposableStack();
  const open = async () => stack.use(await createUpstreamDouble());
  const upstreams = { house: await open(), claude: await open(), google: await open(), llama: await open() };
  const key = "key-of-a-test";
  const providers = {
    house: { kind: "responses", baseUrl: upstreams.house.baseUrl, key, model: "gpt-4o-mini" },
    claude: { kind: "anthropic", baseUrl: upstreams.claude.baseUrl, key, model: "claude-sonnet-4-5" },
    google: { kind: "gemini", baseUrl: upstreams.google.baseUrl, key, model: "gemini-2.5-pro" },
    llama: { kind: "chat-completions", baseUrl: upstreams.llama.baseUrl, model: "llama3.2" },
  } as const;
  const server = stack.use(await startTroupe({ configuration: { providers }, pacing: "raw", ...options }));
  const client = await server.connect();
  return {
    ...{ server, client },
    /** Lets an endpoint answer with this text. */
    say: (api: Api, text: string) => upstreams[api].respond(saysOver[api](text)),
    script: (api: Api, text: string): Script => saysOver[api](text),
    upstreams,
    /** Asks, and returns all messages up to the end. */
    ask(api: Api, data: object, type = "openai_chat", id?: string) {
      const question = type === "openai_chat" ? { input_text: "Well?" } : { message: "Well?" };
      client.send({ type, ...(id === undefined ? {} : { id }), data: { api, ...question, ...data } });
      return client.untilTerminal(id);
    },
    /** The response object at the end of an `openai_chat`. */
    async end(api: Api, data: object) {
      const last = (await this.ask(api, data)).at(-1);
      assert.ok(last?.type === "response" && last.request_type === "openai_chat", JSON.stringify(last));
      return last;
    },
    /** The body of an endpoint's last call. */
    sent: (api: Api) => upstreams[api].requests.at(-1)?.body as Record<string, unknown>,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

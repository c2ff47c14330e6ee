import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import * as claude from "../adapters/anthropic/anthropic-setup.ts";
import * as chat from "../adapters/chat-completions/chat-setup.ts";
import { readChatInFull, recordedChats } from "../adapters/chat-completions/recorded-chunks.ts";
import * as gemini from "../adapters/gemini/gemini-setup.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { answerParts } from "../doubles/answer.ts";
import { eventTexts } from "../doubles/event-text.ts";
import type { Script } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { type Api, apis, startFourApis } from "./four-apis.ts";

const said = "Rain in Oslo. Sun in Rome.";
const [rain, sun] = [
  { start: 0, end: 13 },
  { start: 14, end: 26 },
];
const oslo = { url: "https://a.example/oslo", title: "Oslo" };
const rome = { url: "https://a.example/rome", title: "Rome" };

function overResponses(): Script {
  const { prologue, deltas, epilogue, terminal } = answerParts({ text: said });
  const cites = [
    { ...oslo, ...rain },
    { ...rome, ...sun },
  ].map(({ start, end, ...source }, annotation_index) => ({
    type: "response.output_text.annotation.added",
    ...{ item_id: "msg_double", output_index: 0, content_index: 0, annotation_index },
    annotation: { type: "url_citation", ...source, start_index: start, end_index: end },
  }));
  return streamScript(eventTexts([...prologue, ...deltas, ...cites, ...epilogue, terminal]));
}

const cited = (source: object) => ({ type: "web_search_result_location", cited_text: "...", ...source });
const block = (text: string, index: number, source?: object) => [
  claude.open({ type: "text", text: "" }, index),
  claude.text(text, index),
  ...(source === undefined ? [] : [claude.grow({ type: "citations_delta", citation: cited(source) }, index)]),
  claude.close(index),
];
const support = (text: string, index: number) => ({ segment: { text }, groundingChunkIndices: [index] });
const grounding = {
  groundingChunks: [oslo, rome].map(({ url, title }) => ({ web: { uri: url, title } })),
  groundingSupports: [support("Rain in Oslo.", 0), support("Sun in Rome.", 1)],
};

/** The same answer with the same two sources, as each API streams it. */
const citing: Readonly<Record<Api, Script>> = {
  house: overResponses(),
  claude: streamScript([
    claude.begin(),
    ...block("Rain in Oslo.", 0, oslo),
    ...block(" ", 1),
    ...block("Sun in Rome.", 2, rome),
    ...[claude.reason("end_turn"), claude.stop],
  ]),
  google: streamScript([
    gemini.text(said),
    gemini.chunk([{ text: "" }], { groundingMetadata: grounding, finishReason: "STOP" }),
  ]),
  llama: streamScript([
    chat.text(said),
    chat.chunk({
      annotations: [
        { type: "url_citation", url_citation: { ...oslo, start_index: rain?.start, end_index: rain?.end } },
        { type: "url_citation", url_citation: { ...rome, start_index: sun?.start, end_index: sun?.end } },
      ],
    }),
    ...[chat.finish("stop"), chat.usageChunk, chat.done],
  ]),
};

const sourcesIn = (messages: readonly ServerMessage[]) =>
  messages.flatMap((message) => {
    if (message.type !== "source") return [];
    const { type: _, request_id: __, seq: ___, ...source } = message;
    return [source];
  });
const expected = [
  { index: 0, ...oslo, places: [rain] },
  { index: 1, ...rome, places: [sun] },
];
const typesIn = (messages: readonly ServerMessage[]) =>
  messages.map((message) => (message.type === "status" ? message.status : message.type));

describe("sources", () => {
  for (const api of apis) {
    it(`come after the text of an answer over ${api}, with the parts that they stand behind`, async () => {
      await using stage = await startFourApis();
      stage.upstreams[api].respond(citing[api]);
      const messages = await stage.ask(api, { include_sources: true });
      assert.deepEqual(sourcesIn(messages), expected);
      assert.deepEqual(typesIn(messages).slice(-5), ["chunk", "source", "source", "completed", "response"]);
      assert.deepEqual(
        messages.map((message) => ("seq" in message ? message.seq : undefined)),
        messages.map((_, index) => index + 1),
      );
    });

    it(`do not come to a request over ${api} that does not ask for them`, async () => {
      await using stage = await startFourApis();
      stage.upstreams[api].respond(citing[api]);
      for (const data of [{}, { include_sources: false }, { include_sources: null }]) {
        const types = typesIn(await stage.ask(api, data));
        assert.deepEqual(types.slice(-3), ["chunk", "completed", "response"]);
        assert.equal(types.includes("source"), false);
      }
    });

    it(`of a persona over ${api} name it, also if it shows no chunks`, async () => {
      await using stage = await startFourApis();
      stage.upstreams[api].respond(citing[api]);
      const persona_ids = ["teacher", "skeptic"];
      const asked = { include_sources: true, persona_ids, stream: false };
      const messages = await stage.ask(api, asked, "multi_chat");
      for (const persona_id of persona_ids)
        assert.deepEqual(
          sourcesIn(messages).filter((source) => source.persona_id === persona_id),
          expected.map((source) => ({ ...source, persona_id })),
        );
    });
  }

  it("are the same messages after a restart of the server", async () => {
    await using place = await createDataFolder();
    const options = { store: "sqlite", data: place.folder } as const;
    const asked = async () => {
      await using stage = await startFourApis(options);
      stage.upstreams.house.respond(citing.house);
      return await stage.ask("house", { include_sources: true }, "openai_chat", "r");
    };
    const first = await asked();
    await using server = await startTroupe(options);
    const client = await server.connect();
    client.send({ type: "resume", data: { request_id: "r", after_seq: 0 } });
    const [resumed, ...replayed] = await client.untilTerminal("r");
    assert.deepEqual([resumed?.type, replayed], ["resumed", first]);
  });

  it("of Perplexity are counted as its marks count them", async () => {
    await using stage = await startFourApis();
    const around = { citations: [oslo.url, rome.url], search_results: [rome, oslo] };
    const frames = ["Rain[1], ", "sun[2][9] and more rain[1]."].map((text) =>
      chat.chunk({ content: text }, {}, around),
    );
    stage.upstreams.llama.respond(streamScript([...frames, chat.finish("stop"), chat.done]));
    const messages = await stage.ask("llama", { include_sources: true });
    assert.deepEqual(sourcesIn(messages), [
      {
        ...{ index: 0, ...oslo },
        places: [
          { start: 4, end: 7 },
          { start: 32, end: 35 },
        ],
      },
      { index: 1, ...rome, places: [{ start: 12, end: 15 }] },
    ]);
  });

  it("of a recorded stream of Perplexity are those of its last chunk, with the places of its marks", async () => {
    await using stage = await startFourApis();
    const recorded = recordedChats().find(({ name }) => name === "perplexity-citations");
    assert.ok(recorded !== undefined);
    const { lines } = recorded;
    const { text, sources } = readChatInFull(lines);
    stage.upstreams.llama.respond(streamScript([...lines.map((line) => `data: ${line}\n\n`), chat.done]));
    const told = sourcesIn(await stage.ask("llama", { include_sources: true }));
    assert.deepEqual(
      told.map(({ url }) => url),
      sources,
    );
    assert.deepEqual(
      told.flatMap(({ index, places = [] }) =>
        places.map(({ start, end }) => [index, text.slice(start, end)]),
      ),
      [
        [1, "[2]"],
        [2, "[3]"],
      ],
    );
  });

  it("are limited in number, places and size, and have addresses of the web only", async () => {
    await using stage = await startFourApis();
    const annotation = (url: string, more: object = {}) => ({
      type: "url_citation",
      url_citation: { url, title: "t".repeat(2_000), start_index: 0, end_index: 1, ...more },
    });
    const bad = ["javascript:alert(1)", `https://a.example/${"a".repeat(9_000)}`, 7].map((url) =>
      annotation(String(url)),
    );
    const annotations = [
      ...bad,
      ...Array.from({ length: 100 }, () => annotation("https://a.example/0", { end_index: 99 })),
      ...Array.from({ length: 70 }, () => annotation("https://a.example/0")),
      ...Array.from({ length: 80 }, (_, index) => annotation(`https://a.example/${index}`)),
    ];
    const frames = [chat.text("Rain."), chat.chunk({ annotations }), chat.finish("stop"), chat.done];
    stage.upstreams.llama.respond(streamScript(frames));
    const sources = sourcesIn(await stage.ask("llama", { include_sources: true }));
    assert.equal(sources.length, 64);
    assert.deepEqual([sources[0]?.title?.length, sources[0]?.places?.length], [512, 64]);
  });
});

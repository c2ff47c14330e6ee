import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { itemLimits } from "../../../src/ports/item.ts";
import { chunk, finish, hearEvents, text } from "./gemini-setup.ts";

const said = "Ränn falls in Oslo. Sun in Rome.";
const web = (n: number, title?: string) => ({ web: { uri: `https://a.b/${n}`, ...(title && { title }) } });
const support = (words: string, ...groundingChunkIndices: number[]) => ({
  ...{ segment: { startIndex: 900, endIndex: 999, text: words }, groundingChunkIndices },
});
const grounded = (groundingMetadata: object) => chunk([{ text: "" }], { groundingMetadata });

describe("the sources of a Gemini answer", () => {
  it("are items, annotations of the text, and a search; the last list counts", async () => {
    const { end, events } = await hearEvents([
      text("Ränn falls in Oslo. "),
      grounded({ groundingChunks: [web(9)] }),
      text("Sun in Rome."),
      grounded({
        webSearchQueries: ["rain Oslo"],
        groundingChunks: [web(1, "One"), web(2), web(1, "One"), { maps: { uri: "https://a.b/m" } }],
        groundingSupports: [
          support("Ränn falls in Oslo.", 0, 1),
          support("Sun in Rome.", 3),
          support("Fog", 0),
        ],
      }),
      finish("STOP"),
    ]);
    assert.deepEqual(end?.items, [
      { type: "message", role: "assistant", parts: [{ type: "text", text: said }] },
      { type: "source", url: "https://a.b/1", title: "One" },
      { type: "source", url: "https://a.b/2" },
      { type: "source", url: "https://a.b/m" },
    ]);
    const search = {
      ...{ type: "web_search_call", id: "ws_0", status: "completed" },
      action: {
        ...{ type: "search", query: "rain Oslo" },
        sources: ["1", "2", "m"].map((name) => ({ type: "url", url: `https://a.b/${name}` })),
      },
    };
    const tool = { type: "tool", tool: "web_search", callId: "ws_0", status: "completed", payload: search };
    assert.deepEqual(
      events.filter(({ type }) => type === "tool"),
      [tool],
    );
    const cite = (url: string, title: string, words: string) => ({
      ...{ type: "url_citation", url: `https://a.b/${url}`, title },
      ...{ start_index: said.indexOf(words), end_index: said.indexOf(words) + words.length },
    });
    const annotations = [
      cite("1", "One", "Ränn falls in Oslo."),
      cite("2", "https://a.b/2", "Ränn falls in Oslo."),
      cite("m", "https://a.b/m", "Sun in Rome."),
    ];
    assert.deepEqual(end?.response?.output, [
      search,
      {
        ...{ type: "message", role: "assistant", status: "completed" },
        content: [{ type: "output_text", text: said, annotations }],
      },
    ]);
  });

  it("may be citations, whose places count bytes", async () => {
    for (const name of ["citations", "citationSources"]) {
      const citation = { uri: "https://a.b/c", startIndex: 6, endIndex: 11, license: "mit" };
      const last = chunk([{ text: "" }], { finishReason: "STOP", citationMetadata: { [name]: [citation] } });
      const { end } = await hearEvents([text(said), last]);
      const [message] = [end?.response?.output].flat();
      const start = said.indexOf("falls");
      const annotation = { type: "url_citation", url: citation.uri, title: citation.uri };
      assert.deepEqual(JSON.parse(JSON.stringify(message)).content[0].annotations, [
        { ...annotation, start_index: start, end_index: start + 5 },
      ]);
      assert.deepEqual(end?.items?.at(-1), { type: "source", url: citation.uri });
    }
  });

  it("are left out if they have no address that a client could open", async () => {
    const chunks = [{ web: { uri: "javascript:x" } }, { web: {} }, {}, web(1, "x".repeat(600))];
    const long = { web: { uri: `https://a.b/${"x".repeat(9_000)}` } };
    const { end } = await hearEvents([
      text(said),
      grounded({ groundingChunks: [...chunks, long] }),
      finish("STOP"),
    ]);
    assert.deepEqual(end?.items?.slice(1), [
      { type: "source", url: "https://a.b/1", title: "x".repeat(512) },
    ]);
  });
});

describe("the work of Google's own tools", () => {
  it("is told as tools: code and its output, and images", async () => {
    const { events, end } = await hearEvents([
      chunk([{ executableCode: { language: "PYTHON", code: "1 + 1" } }]),
      chunk([{ codeExecutionResult: { outcome: "OUTCOME_OK", output: "2" } }]),
      chunk([{ inlineData: { mimeType: "image/png", data: "AAAA" } }]),
      chunk([{ executableCode: { code: "1 / 0" } }, { codeExecutionResult: { outcome: "OUTCOME_FAILED" } }]),
      finish("STOP"),
    ]);
    const seen = events.flatMap((event) =>
      event.type === "tool" ? [`${event.tool} ${event.callId} ${event.status}`] : [],
    );
    assert.deepEqual(seen, [
      ...["code_interpreter ci_0 in_progress", "code_interpreter ci_0 completed"],
      "image_generation ig_1 completed",
      ...["code_interpreter ci_2 in_progress", "code_interpreter ci_2 failed"],
    ]);
    const [code, image] = [end?.response?.output].flat();
    assert.deepEqual(code, {
      ...{ type: "code_interpreter_call", id: "ci_0", status: "completed", code: "1 + 1" },
      outputs: [{ type: "logs", logs: "2" }],
    });
    assert.deepEqual(image, {
      type: "image_generation_call",
      id: "ig_1",
      status: "completed",
      result: "AAAA",
    });
  });

  it("are told with at most 64 searches, because each names them all", async () => {
    const queries = Array.from({ length: 100 }, (_, index) => `query ${index}`);
    const { events } = await hearEvents([
      text(said),
      grounded({ webSearchQueries: queries, groundingChunks: [web(1)] }),
      finish("STOP"),
    ]);
    assert.equal(events.filter(({ type }) => type === "tool").length, 64);
  });

  it("are cited in at most 1,024 places", async () => {
    const supports = Array.from({ length: 1_100 }, () => support("Ränn falls in Oslo.", 0));
    const { end } = await hearEvents([
      text(said),
      grounded({ groundingChunks: [web(1)], groundingSupports: supports }),
      finish("STOP"),
    ]);
    assert.equal(JSON.stringify(end?.response).split("url_citation").length - 1, 1_024);
  });

  it("are within the limits of stored items", async () => {
    const longest = `https://a.b/${"a".repeat(itemLimits.urlChars - 12)}`;
    const place = (uri: string) => ({ web: { uri, title: "t".repeat(2_000) } });
    const many = Array.from({ length: 300 }, (_, index) => web(index));
    const { end } = await hearEvents([
      text(said),
      grounded({ groundingChunks: [place(`${longest}a`), place(longest), ...many] }),
      finish("STOP"),
    ]);
    const [, first, ...others] = end?.items ?? [];
    assert.deepEqual(first, { type: "source", url: longest, title: "t".repeat(itemLimits.nameChars) });
    assert.equal(others.length, 255);
  });
});

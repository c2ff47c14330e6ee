import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ResponsesMachine, responsePlace } from "../../../src/adapters/openai/responses-machine.ts";
import {
  added,
  at,
  completed,
  created,
  delta,
  done,
  type Event,
  hear,
  message,
  textPart,
} from "./hear-events.ts";

describe("text is shown once, from any event that brings it", () => {
  const text = "Rain falls.";
  const rows: readonly [string, readonly Event[]][] = [
    ["deltas", [delta("Rain "), delta("falls.")]],
    ["the end of the text", [{ type: "response.output_text.done", ...at({ text }) }]],
    ["the end of the part", [{ type: "response.content_part.done", ...at({ part: textPart(text) }) }]],
    ["the end of the item", [done(message(text))]],
    ["an item that is added whole", [added(message(text)), done(message(text))]],
    ["a delta that is missing", [delta("Rain "), { type: "response.output_text.done", ...at({ text }) }]],
    [
      "all of them",
      [
        delta("Rain "),
        delta("falls."),
        { type: "response.output_text.done", ...at({ text }) },
        done(message(text)),
      ],
    ],
    [
      "deltas without a place and an end with one",
      [
        { type: "response.output_text.delta", delta: text },
        { type: "response.output_text.done", ...at({ output_index: 3, text }) },
        done(message(text), 3),
      ],
    ],
    [
      "two parts, the second without deltas",
      [delta("Rain "), { type: "response.output_text.done", ...at({ content_index: 1, text: "falls." }) }],
    ],
    ["two items, the second without deltas", [delta("Rain "), done(message("falls.", { id: "msg_2" }), 1)]],
    ["two items of the same place", [done(message("Rain ")), done(message("falls.", { id: "msg_2" }))]],
    [
      "ids that change with every event",
      [
        added(message("", { id: "a", content: [] })),
        delta("Rain ", { item_id: "b" }),
        delta("falls.", { item_id: "c" }),
        done(message(text, { id: "d" })),
      ],
    ],
    [
      "an end that contradicts the deltas",
      [delta("Rain "), delta("falls."), { type: "response.output_text.done", ...at({ text: "Snow." }) }],
    ],
  ];
  for (const [what, events] of rows)
    it(`${what}`, () => {
      for (const end of [
        {},
        { output: [] },
        { output: [{ type: "reasoning", summary: [] }, message(text, { id: "msg_x" })] },
      ])
        assert.equal(hear([created, ...events, completed(end)]).text, text, JSON.stringify(end));
    });

  it("the text of the end alone, and the text that the end adds", () => {
    const output = [message("Rain "), message("falls.", { id: "msg_2" })];
    assert.equal(hear([created, completed({ output })]).text, text);
    assert.equal(hear([created, delta("Rain "), completed({ output })]).text, text);
    assert.equal(hear([created, delta("Snow "), completed({ output })]).text, "Snow ");
  });

  it("the end of an answer that is taken up again, only if nothing was shown before", () => {
    const events: Event[] = [created, { type: "response.in_progress" }];
    for (const { before, shown } of [
      { before: [delta("Rain ")], shown: "" },
      { before: [], shown: text },
    ]) {
      const first = new ResponsesMachine({ includeReasoning: true, numbered: true });
      for (const [sequence_number, event] of [...events, ...before].entries())
        first.accept({ name: "", data: JSON.stringify({ ...event, sequence_number }) });
      const place = responsePlace.parse(first.place);
      const second = new ResponsesMachine({ includeReasoning: true, numbered: true, place });
      assert.deepEqual(second.place, place);
      const end = { ...completed({ output: [message(text)] }), sequence_number: 9 };
      const given = second.accept({ name: "", data: JSON.stringify(end) });
      assert.equal(given.map((event) => (event.type === "text" ? event.text : "")).join(""), shown);
    }
  });

  it("reasoning likewise, where it was asked for", () => {
    const part = { type: "summary_text", text: "hm" };
    const item = { id: "rs_1", type: "reasoning", summary: [part, { ...part, text: "so" }] };
    for (const events of [
      [done(item)],
      [completed({ output: [item, message("x")] })],
      [0, 1].map((summary_index) => ({
        type: "response.reasoning_summary_part.done",
        ...{ item_id: "rs_1", output_index: 0, summary_index, part: item.summary[summary_index] },
      })),
    ]) {
      assert.equal(hear([created, ...events]).reasoning, "hm\n\nso");
      assert.equal(hear([created, ...events], false).reasoning, "");
    }
  });
});

import { FastReads } from "../../../src/adapters/upstream/fast/fast-reads.ts";
import { answerParts } from "../../doubles/answer.ts";
import { eventText } from "../../doubles/event-text.ts";
import { describeUpstreamProvider, type VendorAnswer } from "../../ports/provider-contract.ts";
import { createProviderSetup, question } from "./provider-setup.ts";

const { prologue, terminal } = answerParts({ deltas: [""] });
const written = (events: Parameters<typeof eventText>[0][]) =>
  events.map((event) => eventText(event, 0)).join("");

const words: VendorAnswer = {
  opening: written([...prologue]),
  delta: (text) =>
    written([
      {
        type: "response.output_text.delta",
        ...{ item_id: "msg_1", output_index: 0, content_index: 0, delta: text, logprobs: [] },
      },
    ]),
  // Without the events that repeat the whole text.
  closing: written([terminal]),
  failure: written([{ type: "error", code: "server_error", message: "An internal error.", param: null }]),
};

for (const isOn of [true, false])
  describeUpstreamProvider(`openai, fast reads ${isOn ? "on" : "off"}`, words, async () =>
    Object.assign(await createProviderSetup({ fastReads: new FastReads({ isOn }) }), { request: question }),
  );

// Over a WebSocket, only an event ends an answer: a socket that closes without one is a broken connection.
for (const isOn of [true, false])
  describeUpstreamProvider(
    `openai over WebSocket, fast reads ${isOn ? "on" : "off"}`,
    words,
    async () => {
      const setup = await createProviderSetup({ fastReads: new FastReads({ isOn }), transport: "websocket" });
      return Object.assign(setup, { request: question });
    },
    {
      "no event": ["upstream_disconnected", true],
      "half an answer": ["upstream_disconnected", false],
    },
  );

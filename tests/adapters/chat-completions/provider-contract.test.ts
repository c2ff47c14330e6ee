import { FastReads } from "../../../src/adapters/upstream/fast/fast-reads.ts";
import { describeUpstreamProvider, type VendorAnswer } from "../../ports/provider-contract.ts";
import { chunk, createChatSetup, done, finish, frame, text, usageChunk } from "./chat-setup.ts";

const words: VendorAnswer = {
  opening: chunk({ role: "assistant", content: "" }),
  delta: text,
  closing: finish("stop") + usageChunk + done,
  failure: frame({ error: { message: "An internal error.", type: "server_error", code: null } }),
};

for (const isOn of [true, false])
  describeUpstreamProvider(`chat completions, fast reads ${isOn ? "on" : "off"}`, words, () =>
    createChatSetup(new FastReads({ isOn })),
  );

import { FastReads } from "../../../src/adapters/upstream/fast/fast-reads.ts";
import { describeUpstreamProvider, type VendorAnswer } from "../../ports/provider-contract.ts";
import { createGeminiSetup, finish, frame, text } from "./gemini-setup.ts";

const words: VendorAnswer = {
  opening: text(""),
  delta: text,
  closing: finish("STOP"),
  failure: frame({ error: { code: 500, message: "An internal error.", status: "INTERNAL" } }),
};

for (const isOn of [true, false])
  describeUpstreamProvider(`gemini, fast reads ${isOn ? "on" : "off"}`, words, () =>
    createGeminiSetup(new FastReads({ isOn })),
  );

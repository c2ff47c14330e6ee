import { FastReads } from "../../../src/adapters/upstream/fast/fast-reads.ts";
import { describeUpstreamProvider, type VendorAnswer } from "../../ports/provider-contract.ts";
import {
  begin,
  close,
  createAnthropicSetup,
  failure,
  openText,
  ping,
  reason,
  stop,
  text,
} from "./anthropic-setup.ts";

const words: VendorAnswer = {
  opening: begin() + openText() + ping,
  delta: text,
  closing: close() + reason("end_turn") + stop,
  failure: failure("api_error"),
};

for (const isOn of [true, false])
  describeUpstreamProvider(`anthropic, fast reads ${isOn ? "on" : "off"}`, words, () =>
    createAnthropicSetup(new FastReads({ isOn })),
  );

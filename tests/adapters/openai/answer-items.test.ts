import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ResponsesMachine } from "../../../src/adapters/openai/responses-machine.ts";
import { toResponsesInput } from "../../../src/adapters/openai/responses-params.ts";
import { textMessage } from "../../../src/ports/item.ts";
import type { JsonObject } from "../../../src/ports/json.ts";

const origin = "account m";
const said = {
  type: "message",
  content: [
    { type: "output_text", text: "In " },
    { type: "output_text", text: "Lucca." },
  ],
};
const thought = {
  ...{ type: "reasoning", id: "rs_1", encrypted_content: "e" },
  summary: [
    { type: "summary_text", text: "A roof." },
    { type: "summary_text", text: "Red." },
  ],
};
const call = { type: "function_call", id: "fc_1", call_id: "c", name: "f", arguments: '{"a":' };

function itemsOf(output: readonly JsonObject[], options: { readonly origin?: string } = { origin }) {
  const machine = new ResponsesMachine({ includeReasoning: false, ...options });
  const response = { status: "completed", model: "m-1", output: [...output] };
  const events = machine.accept({
    name: "",
    data: JSON.stringify({ type: "response.completed", response }),
  });
  const end = events.at(-1);
  return end?.type === "end" ? end.items : undefined;
}

describe("the items of an answer", () => {
  it("are not told if it is only text", () => {
    const unencrypted = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: null };
    for (const output of [[said], [], [unencrypted, said], [{ type: "web_search_call", id: "ws_1" }, said]])
      assert.equal(itemsOf(output), undefined);
    assert.equal(itemsOf([thought, said], {}), undefined);
  });

  it("are its reasoning, its words and its calls, in their order", () => {
    assert.deepEqual(itemsOf([thought, said, call]), [
      {
        ...{ type: "reasoning", text: "A roof.\n\nRed." },
        providerState: { provider: "openai", state: { origin, encrypted_content: "e" } },
      },
      textMessage("assistant", "In Lucca."),
      { type: "tool-call", callId: "c", name: "f", arguments: '{"a":' },
    ]);
    for (const broken of [{ call_id: 7 }, { name: null }, { arguments: {} }])
      assert.equal(itemsOf([{ ...call, ...broken }]), undefined);
  });

  it("go back as they came, without the vendor's ids", () => {
    const input = [textMessage("user", "Where?"), ...(itemsOf([thought, said, call]) ?? [])];
    assert.deepEqual(toResponsesInput({ input }, origin).slice(1), [
      {
        ...{ type: "reasoning", summary: [{ type: "summary_text", text: "A roof.\n\nRed." }] },
        encrypted_content: "e",
      },
      { type: "message", role: "assistant", content: "In Lucca." },
      { type: "function_call", call_id: "c", name: "f", arguments: '{"a":' },
    ]);
  });
});

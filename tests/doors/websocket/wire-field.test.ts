import assert from "node:assert/strict";
import { it } from "node:test";
import { wireField } from "../../../src/doors/websocket/read-ask.ts";

it("a refusal names the client's own field, also if the server's inside has another name for it", () => {
  const fields = {
    conversationId: "data.conversation_id",
    "personaIds.3": "data.persona_ids.3",
    personaId: "data.persona_id",
    previousResponseId: "data.previous_response_id",
    requestId: "data.request_id",
    after: "data.after",
    afterSeq: "data.after_seq",
    retrySeq: "data.retry",
    "options.prompt.variables.retrySeq": "data.options.prompt.variables.retrySeq",
    "tools.0.container": "data.tools.0.container",
    // Paths of the frame itself stay.
    "data.temperature": "data.temperature",
    id: "id",
    type: "type",
  };
  for (const [inside, wire] of Object.entries(fields)) assert.equal(wireField(inside), wire);
});

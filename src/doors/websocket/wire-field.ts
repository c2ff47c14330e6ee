/** The fields that the server's inside names in its refusals, under their names in a frame's `data`. */
const names: ReadonlyMap<string, string> = new Map([
  ["after", "after"],
  ["afterSeq", "after_seq"],
  ["conversationId", "conversation_id"],
  ["options", "options"],
  ["personaId", "persona_id"],
  ["personaIds", "persona_ids"],
  ["previousResponseId", "previous_response_id"],
  ["requestId", "request_id"],
  ["retrySeq", "retry"],
  ["tools", "tools"],
]);

/** The path in a client's frame of the field that a refusal names. Paths that the frame's decoder found are already such paths. */
export function wireField(field: string): string {
  const [head = "", ...rest] = field.split(".");
  const name = names.get(head);
  return name === undefined ? field : ["data", name, ...rest].join(".");
}

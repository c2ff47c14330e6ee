/** The result of a plain reader for the body of an event stream up to some point. */
export interface ReadSoFar {
  /** The text of the deltas, including refusals. Without deltas, the text of the final object or the closing events. */
  readonly text: string;
  /** The type of the event that ended the answer. */
  readonly terminal: string | undefined;
}

interface Fields {
  readonly type?: string;
  readonly delta?: string;
  readonly text?: string;
  readonly error?: unknown;
  readonly response?: { readonly output?: readonly { readonly content?: readonly { text?: string }[] }[] };
}

const terminals = new Set(["response.completed", "response.incomplete", "response.failed", "error"]);

/**
 * Reads the whole body again at each call: slow, but obviously right. It takes whole events only, joins fields of the
 * same name by a line feed, and ignores everything after a terminal event. Lines that are not JSON are skipped.
 */
export function readShape(body: string): ReadSoFar {
  let text = "";
  let finalText = "";
  for (const data of readEvents(body)) {
    const fields = parse(data);
    const type = fields.type ?? (fields.error === undefined ? "" : "error");
    if (type === "response.output_text.delta" || type === "response.refusal.delta")
      text += fields.delta ?? "";
    if (type === "response.output_text.done") finalText = fields.text ?? "";
    if (terminals.has(type)) {
      const parts = fields.response?.output?.flatMap(({ content = [] }) => content) ?? [];
      finalText ||= parts.map((part) => part.text ?? "").join("");
      return { text: type === "response.completed" ? text || finalText : text, terminal: type };
    }
  }
  return { text, terminal: undefined };
}

function readEvents(body: string): string[] {
  // An event after the last empty line is not complete.
  const whole = body.replace(/\r\n?/g, "\n").split("\n\n").slice(0, -1);
  return whole.flatMap((event) => {
    const lines = event.split("\n").filter((line) => line.startsWith("data:"));
    return lines.length === 0 ? [] : [lines.map((line) => line.slice("data:".length)).join("\n")];
  });
}

function parse(data: string): Fields {
  try {
    return JSON.parse(data);
  } catch {
    return {};
  }
}

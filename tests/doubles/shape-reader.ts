/** What a plain reader makes of the body of an event stream up to some point. */
export interface ReadSoFar {
  /** The text of the deltas, refusals included; of the final object or the closing events where there was no delta. */
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
 * Reads the whole body anew, slowly and obviously right: whole events only, fields of the same name joined by a line feed,
 * nothing behind a terminal event. Lines that are no JSON are passed over.
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
  // What stands behind the last empty line has not been ended.
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

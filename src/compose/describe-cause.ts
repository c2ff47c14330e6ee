/** Maximum characters of one line. */
const maxChars = 600;
/** Properties of SDK and Node errors that add to their message. */
const facts = ["status", "code", "type", "param", "requestID"] as const;

/**
 * Describes an error and its causes in one line for a log: their messages, and figures and codes that no message contains. Stacks are
 * left out. `undefined` if there is nothing to say.
 */
export function describeCause(cause: unknown): string | undefined {
  const parts: string[] = [];
  const told: string[] = [];
  for (let error = cause; error !== undefined && error !== null; error = causeOf(error)) {
    const message = messageOf(error);
    if (message !== "" && !parts.some((part) => part.includes(message))) parts.push(message);
    for (const name of facts) {
      const fact: unknown = typeof error === "object" ? Reflect.get(error, name) : undefined;
      if (typeof fact === "string" || typeof fact === "number")
        told.push(`${name === "requestID" ? "request" : name} ${fact}`);
    }
  }
  const unsaid = [...new Set(told)].filter((fact) => !parts.some((part) => part.includes(figureIn(fact))));
  const line = oneLine([parts.join(": "), unsaid.join(", ")].filter((part) => part !== "").join("; "));
  if (line === "") return undefined;
  return line.length > maxChars ? `${line.slice(0, maxChars)}…` : line;
}

function figureIn(fact: string): string {
  return fact.slice(fact.indexOf(" ") + 1);
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

function messageOf(error: unknown): string {
  if (typeof error === "string") return error;
  return error instanceof Error ? error.message : "";
}

/** Replaces line breaks and a terminal's control characters by spaces. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
}

/** More of one line is not logged. */
const maxChars = 600;
/** What errors of SDKs and of Node say beside their message. */
const facts = ["status", "code", "type", "param", "requestID"] as const;

/**
 * One line about an error and its causes for a log: their messages, and those figures and codes that no message has. Stacks are left
 * out. Nothing where there is nothing to say.
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

/** Line breaks and what a terminal would obey are spaces. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
}

import { isObject, type JsonObject, objectsIn } from "../../ports/json.ts";

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
const duration = /(\d+(?:\.\d+)?)\s*(ms|milliseconds?|h(?:ours?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)/gi;
/** "Please try again in 1m2.5s." (OpenAI), "retry after 6 seconds". */
const sentence = /(?:again|retry)\s+(?:in|after)\s+((?:\d[\d.]*\s*[a-z]+\s*)+)/i;

/**
 * The pause that an error object asks for, in milliseconds; `undefined` if it asks for none. The error may name it in a field, in headers
 * that it quotes, in Google's `details[].retryDelay`, or in its message.
 */
export function askedPause(error: JsonObject): number | undefined {
  const { metadata, headers, details, message } = error;
  const places = [error, headers, metadata, isObject(metadata) ? metadata.headers : undefined];
  for (const place of objectsIn(places)) {
    const pause = pauseIn(place);
    if (pause !== undefined) return pause;
  }
  const delays = objectsIn(details).map((detail) => detail.retryDelay);
  const told = delays.find((delay) => typeof delay === "string") ?? sentence.exec(String(message ?? ""))?.[1];
  return typeof told === "string" ? durationMs(told) : undefined;
}

function pauseIn(fields: JsonObject): number | undefined {
  let seconds: number | undefined;
  for (const [name, value] of Object.entries(fields)) {
    const plain = name.toLowerCase().replaceAll(/[-_]/g, "");
    const figure = figureOf(value);
    if (plain === "retryafterms" && figure !== undefined) return figure;
    if (plain === "retryafter" || plain === "retryafterseconds") seconds ??= figure;
  }
  return seconds === undefined ? undefined : seconds * 1_000;
}

function figureOf(value: unknown): number | undefined {
  const figure = typeof value === "string" && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  return typeof figure === "number" && figure >= 0 && Number.isFinite(figure) ? figure : undefined;
}

/** A longer text is no duration, and reading one of many digits would take seconds. */
const maxDurationChars = 64;

function durationMs(text: string): number | undefined {
  let sum: number | undefined;
  for (const [, figure, unit = ""] of text.slice(0, maxDurationChars).matchAll(duration)) {
    const name = /^m(s|illi)/i.test(unit) ? "ms" : unit.charAt(0).toLowerCase();
    sum = (sum ?? 0) + Number(figure) * (unitMs[name] ?? 0);
  }
  return sum;
}

import assert from "node:assert/strict";
import type { Fetch } from "../../src/client/index.ts";

interface Answer {
  readonly status: number;
  readonly body?: object | string;
  readonly headers?: Record<string, string>;
}

/** A `fetch` that answers from a list, and the addresses it was called with. `never` does not answer. */
export function scriptedFetch(...answers: (Answer | "never" | Error)[]) {
  const asked: { url: string; method: string; headers: Record<string, string>; signal?: AbortSignal }[] = [];
  const fetch: Fetch = async (url, { method, headers, credentials, signal }) => {
    asked.push({ url, method, headers, ...(signal === undefined ? {} : { signal }) });
    assert.equal(credentials, "include");
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === undefined || answer === "never") return new Promise(() => undefined);
    if (answer instanceof Error) throw answer;
    const { status, body = "", headers: more = {} } = answer;
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const type = typeof body === "string" ? "text/plain" : "application/json";
    const about = { "content-type": type, "content-length": String(text.length), ...more };
    return new Response(text, { status, headers: about });
  };
  return { fetch, asked };
}

import type { TroupeOptions } from "../../src/compose/create-troupe.ts";

/** One way in which a request ends. */
export interface Ending {
  /** Default `openai_chat`. */
  readonly type?: "openai_chat" | "chat" | "multi_chat";
  /** The fields of the request besides its text. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Its budget has room for its text and this many tokens of an answer. */
  readonly answerTokens?: number;
  readonly settings?: TroupeOptions;
  /** The event once the answer has started, or the provider has been asked: the client cancels, or time passes. */
  readonly act?: { readonly when: "asked" | "begun"; readonly what: "cancel" | { readonly waitMs: number } };
  /** Storage fails after the first words. */
  readonly losesStorage?: true;
  /** The code of its error, or its finish reason. */
  readonly end: string;
}

export const firstByteMs = 500_000;
export const idleMs = 600_000;
export const turnLimitMs = 700_000;

const teacher = { persona_id: "teacher", conversation_id: "new" };
const cast = { persona_ids: ["teacher", "skeptic"], conversation_id: "new" };
const chat = "chat" as const;
const multiChat = "multi_chat" as const;
const raw = { mode: "raw" };

/** Every way in which a request can end, by name. */
export const endings: Readonly<Record<string, Ending>> = {
  completed: { data: { model: "completes" }, end: "stop" },
  "completed, of a persona": { type: chat, data: { ...teacher, model: "completes" }, end: "stop" },
  "completed, of several": { type: multiChat, data: { ...cast, model: "completes" }, end: "stop" },
  "refused before the start": { type: chat, data: { persona_id: "nobody" }, end: "persona_not_found" },
  "refused as not valid": { type: chat, data: { ...teacher, temperature: 9 }, end: "invalid_message" },
  "refused by the provider": { data: { model: "refuses" }, end: "upstream_invalid_request" },
  "refused by the provider, of several": {
    type: multiChat,
    data: { ...cast, model: "refuses" },
    end: "all_personas_failed",
  },
  "failed in the middle": { type: chat, data: { ...teacher, model: "fails" }, end: "upstream_error" },
  cut: { data: { model: "cuts" }, end: "upstream_disconnected" },
  "timed out before the first word": {
    data: { model: "silent" },
    act: { when: "asked", what: { waitMs: firstByteMs } },
    end: "upstream_timeout",
  },
  "timed out in the middle": {
    data: { model: "hangs" },
    act: { when: "begun", what: { waitMs: idleMs } },
    end: "upstream_stalled",
  },
  "timed out as a whole": {
    data: { model: "hangs" },
    settings: { turnLimitMs: 100_000 },
    act: { when: "begun", what: { waitMs: 100_000 } },
    end: "turn_timeout",
  },
  cancelled: { data: { model: "hangs" }, act: { when: "begun", what: "cancel" }, end: "cancelled" },
  "cancelled, of several": {
    type: multiChat,
    data: { ...cast, model: "hangs" },
    act: { when: "begun", what: "cancel" },
    end: "cancelled",
  },
  "without a budget": { type: chat, data: { ...teacher, budget_tokens: 5 }, end: "budget_exhausted" },
  "stopped by its budget": {
    data: { model: "floods", pacing: raw },
    answerTokens: 600,
    settings: { logBytes: 256 * 1024 },
    end: "budget",
  },
  "too large": {
    data: { model: "floods", pacing: raw },
    settings: { logBytes: 256 * 1024 },
    end: "answer_too_large",
  },
  "not kept": { data: { model: "completes" }, losesStorage: true, end: "storage_unavailable" },
};

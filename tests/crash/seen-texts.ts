import type { Ask } from "./any-ask.ts";
import type { Findings } from "./findings.ts";
import { answerTo } from "./numbered-answer.ts";
import type { Numbered, RequestRecord } from "./request-record.ts";

/** The text that clients were shown of one voice. */
export interface SeenVoice {
  readonly voice: string;
  readonly text: string;
  /** The end of this voice as the client was told it. */
  readonly told: "completed" | "failed" | "cancelled" | undefined;
}

/** The messages of a request that a client saw. */
export function messagesOf({ frames }: RequestRecord): Numbered[] {
  return frames.flatMap((frame) => (frame === undefined ? [] : [JSON.parse(frame) as Numbered]));
}

/** The text of every voice as it was shown: from its chunks, or from its whole answer if it had no chunks. */
export function seenVoices(ask: Ask, messages: readonly Numbered[]): SeenVoice[] {
  return ask.voices.map((voice) => {
    let chunks = "";
    let whole = "";
    let told: SeenVoice["told"];
    for (const message of messages) {
      if (message.type === "reset" && message.lanes.some(({ persona_id = "" }) => persona_id === voice)) {
        chunks = "";
        whole = "";
        told = undefined;
      }
      if (!("persona_id" in message) ? voice !== "" : message.persona_id !== voice) continue;
      if (message.type === "chunk") chunks += message.chunk;
      if (message.type === "status" && message.status === "completed" && ask.streams) told = "completed";
      if (message.type === "persona_response") {
        whole = message.response;
        told = message.status;
      }
    }
    return { voice, text: ask.streams ? chunks : whole, told };
  });
}

/** Compares the text shown with the provider's text, and the ends with the chunks. */
export function checkTexts({ ask }: RequestRecord, messages: readonly Numbered[], findings: Findings): void {
  const voices = seenVoices(ask, messages);
  const terminal = messages.at(-1);
  const isWhole = terminal?.type === "response" && terminal.status === "completed";
  for (const { voice, text, told = isWhole ? "completed" : "failed" } of voices) {
    const expected = answerTo(ask.id, voice);
    const fits = told === "completed" ? text === expected : expected.startsWith(text);
    if (!fits) findings.note("wrong texts", `${ask.id}/${voice}: ${JSON.stringify(text)}`);
  }
  for (const [voice, text] of toldTexts(messages)) {
    const seen = voices.find((one) => one.voice === voice)?.text;
    if (seen !== text) findings.note("wrong texts", `${ask.id}/${voice}: shown ${seen}, told ${text}`);
  }
}

/** The texts of whole answers, by voice. */
function toldTexts(messages: readonly Numbered[]): [string, string][] {
  return messages.flatMap((message): [string, string][] => {
    if (message.type === "persona_response") return [[message.persona_id, message.response]];
    if (message.type !== "response") return [];
    if (message.request_type === "openai_chat") return [["", message.data.output_text]];
    if (message.request_type === "chat") return [[message.data.persona_id, message.data.response]];
    return message.data.responses.map((one) => [one.persona_id, one.response]);
  });
}

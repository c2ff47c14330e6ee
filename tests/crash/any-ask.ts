import type { ClientMessageInput } from "../../src/protocol/client-messages.ts";
import { namelessVoice, questionOf } from "./numbered-answer.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** A request for an answer, and the voices that answer it. */
export interface Ask {
  readonly id: string;
  readonly frame: Extract<ClientMessageInput, { type: "openai_chat" | "chat" | "multi_chat" }>;
  /** The lanes; one lane without a name for `openai_chat`. */
  readonly voices: readonly string[];
  /** Whether the text comes in chunks. */
  readonly streams: boolean;
  /** After a kill the request is answered again by the next process, or continued. Default: it ends as interrupted. */
  readonly outlasts?: "anew" | "continued";
  /** The client cancels the request after this many messages. */
  readonly cancelAt?: number;
}

const personas = ["teacher", "skeptic", "historian", "creative_writer", "data_scientist"] as const;

/** A question to the model itself, with any pacing. */
export function modelAsk(id: string, random: SeededRandom): Ask {
  const data = { input_text: questionOf(id), pacing: anyPacing(random) };
  return { id, frame: { type: "openai_chat", id, data }, voices: [namelessVoice], streams: true };
}

/** A question to the model that outlasts its process: in the background at the provider, or answered again. */
export function outlastingAsk(id: string, random: SeededRandom): Ask {
  const asked = modelAsk(id, random);
  if (random.chance(0.5)) return answeredAnew(asked);
  const data = { ...asked.frame.data, options: { background: true } };
  const frame = { type: "openai_chat", id, data } as Ask["frame"];
  return { ...asked, frame, outlasts: "continued" };
}

/** The same question, to be answered again by the process that follows a killed one. */
export function answeredAnew(asked: Ask): Ask {
  const frame = { ...asked.frame, data: { ...asked.frame.data, on_interrupt: "restart" } } as Ask["frame"];
  return { ...asked, frame, outlasts: "anew" };
}

/** A question to one persona or several. The conversation is the given one, or one that the server chooses. */
export function personaAsk(id: string, random: SeededRandom, conversation: string | undefined): Ask {
  const data = {
    message: questionOf(id),
    pacing: anyPacing(random),
    ...(conversation === undefined ? {} : { conversation_id: conversation }),
  };
  if (random.chance(0.6)) {
    const persona_id = random.pick(personas);
    return {
      id,
      frame: { type: "chat", id, data: { ...data, persona_id } },
      voices: [persona_id],
      streams: true,
    };
  }
  const first = random.whole(0, personas.length - 3);
  const persona_ids = personas.slice(first, first + random.whole(2, 3));
  const stream = random.chance(0.8);
  return {
    id,
    frame: { type: "multi_chat", id, data: { ...data, persona_ids, stream } },
    voices: persona_ids,
    streams: stream,
  };
}

function anyPacing(random: SeededRandom) {
  const mode = random.pick<"raw" | "natural" | "fixed">(["raw", "raw", "natural", "natural", "fixed"]);
  if (mode === "raw") return { mode };
  return { mode, interval_ms: random.whole(10, 40), chunk_chars: random.whole(10, 60) };
}

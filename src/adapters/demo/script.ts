import { createHash } from "node:crypto";
import { type Item, textOf } from "../../ports/item.ts";
import type { JsonObject } from "../../ports/json.ts";
import type { ProviderRequest } from "../../ports/provider.ts";
import { builtinPersonas } from "../builtin-personas/personas.ts";
import { creativeWriterVoice } from "./voices/creative-writer.ts";
import { dataScientistVoice } from "./voices/data-scientist.ts";
import { historianVoice } from "./voices/historian.ts";
import { neutralVoice } from "./voices/neutral.ts";
import { productManagerVoice } from "./voices/product-manager.ts";
import { securityEngineerVoice } from "./voices/security-engineer.ts";
import { skepticVoice } from "./voices/skeptic.ts";
import { teacherVoice } from "./voices/teacher.ts";
import { techEnthusiastVoice } from "./voices/tech-enthusiast.ts";
import type { DemoVoice, Variants } from "./voices/voice.ts";

/** Everything that a demonstration says in answer to one request. */
interface DemoScript {
  readonly text: string;
  readonly reasoning: string;
  /** Name of the tool whose use is acted out, if the request offers one. */
  readonly tool?: string;
  /** Whether a built-in persona speaks. */
  readonly isPersona: boolean;
}

const notice = "This is a scripted demonstration — no model was called, but the streaming is real.";

/**
 * Writes the answer to a request. The same request gives the same script: a hash of question and instructions chooses
 * the variants. The number of questions so far moves the choice on, so that a repeated question does not get the same
 * words twice running.
 */
export function writeScript(request: ProviderRequest): DemoScript {
  const { question, questionCount, earlierQuestion, otherSpeakers } = readContext(request.input);
  const { voice, isPersona } = voiceOf(request.instructions);
  const tool = request.functions?.[0]?.name ?? (request.tools?.[0] && toolName(request.tools[0]));

  const hash = createHash("sha256")
    .update(JSON.stringify([question, request.instructions]))
    .digest();
  const variant = <Item>(items: Variants<Item>, hashOffset: number): Item =>
    items[(hash.readUInt16BE(hashOffset) + questionCount) % items.length] ?? items[0];

  const remarks = [notice];
  if (request.previousResponseId !== undefined) {
    const previous = quotation(request.previousResponseId);
    remarks.push(`It continues from the response ${previous}, though a script remembers nothing of it.`);
  }
  if (tool !== undefined) {
    remarks.push(`The use of the tool ${quotation(tool)} is simulated too: nothing was looked up or run.`);
  }
  const spoken = [variant(voice.openings, 0)(quotation(question))];
  if (earlierQuestion !== undefined) spoken.push(voice.followUp(quotation(earlierQuestion)));
  if (otherSpeakers.length > 0) spoken.push(`I have read what ${namesOf(otherSpeakers)} said as well.`);
  spoken.push(variant(voice.bodies, 2));

  return {
    text: [remarks.join(" "), spoken.join(" "), variant(voice.closings, 4)].join("\n\n"),
    reasoning: `Scripted summary: ${voice.reasoning}`,
    ...(tool !== undefined && { tool }),
    isPersona,
  };
}

/** First names of up to three speakers; a name such as "Mara, tech enthusiast" starts with one. */
function namesOf(speakers: readonly string[]): string {
  const names = speakers.slice(0, 3).map((name) => shortened(name.split(",")[0] ?? name));
  return new Intl.ListFormat("en-GB").format(names);
}

/** The name of a function tool, or the type of a vendor's built-in tool. */
function toolName(tool: JsonObject): string {
  const name = tool.type === "function" ? tool.name : tool.type;
  return typeof name === "string" && name !== "" ? name : "tool";
}

/** A quoted message is cut to this many characters as a reader counts them, so that a script stays a paragraph long. */
const maxQuotedCharacters = 64;

/** Enough code units for the visible part; the rest of a long message is not even read. */
const maxReadCodeUnits = 1024;

/** Characters that a quotation must not contain: controls, and characters that reorder or hide the text around them. */
const invisibleCharacters = /[\p{Cc}\p{Bidi_Control}\u200b\u2060\u{e0000}-\u{e007f}]/gu;

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/**
 * Puts somebody's words into quotation marks, shortened as data.
 *
 * @returns a phrase for the middle of a sentence; if the words have nothing visible in them, the phrase says so.
 */
function quotation(words: string): string {
  const line = shortened(words);
  return line === "" ? "a message without words" : `“${line}”`;
}

/**
 * Turns somebody's words into data: on one line, without invisible characters or double quotation marks, and cut at a
 * word if they are longer than 64 characters. Grapheme clusters stay whole.
 */
function shortened(words: string): string {
  const line = words
    .slice(0, maxReadCodeUnits)
    .toWellFormed()
    .replace(/\s+/gu, " ")
    .replace(invisibleCharacters, "")
    .replace(/["“”„«»]/gu, "'")
    .trim();
  const characters = Array.from(graphemes.segment(line), ({ segment }) => segment);
  if (characters.length <= maxQuotedCharacters && words.length <= maxReadCodeUnits) return line;
  const start = characters.slice(0, maxQuotedCharacters).join("");
  const lastSpace = start.lastIndexOf(" ");
  const kept = lastSpace > start.length / 2 ? start.slice(0, lastSpace) : start;
  return `${kept.replace(/[\s.,;:!?–—-]+$/u, "")}…`;
}

/** The facts of a context that a script uses. */
interface ReadContext {
  /** The words to answer; empty if there are none. */
  readonly question: string;
  /** How many questions the context holds. */
  readonly questionCount: number;
  /** The last earlier question that had any words. */
  readonly earlierQuestion?: string;
  /** Names of the other voices that answered after the previous question, each once, in order. */
  readonly otherSpeakers: readonly string[];
}

/** The form in which a persona is shown another voice's answer: `(Name answered:)`, then the words as a quotation. */
const wordsOfOthers = /^\((.+) answered:\)\n> /u;

/** Separates the questions in a context from the answers of other voices. A script reads only the words of messages. */
function readContext(input: readonly Item[]): ReadContext {
  const heard = input
    .flatMap((item) => (item.type === "message" && item.role === "user" ? [textOf(item.parts)] : []))
    .map((text) => ({ text, speaker: wordsOfOthers.exec(text)?.[1] }));
  const questions = heard.filter(({ speaker }) => speaker === undefined);
  const before = questions.at(-2);
  const sinceThen = before === undefined ? heard : heard.slice(heard.indexOf(before));
  const earlierQuestion = questions.slice(0, -1).findLast(({ text }) => text.trim() !== "")?.text;
  return {
    question: (questions.at(-1) ?? heard.at(-1))?.text ?? "",
    questionCount: questions.length,
    ...(earlierQuestion !== undefined && { earlierQuestion }),
    otherSpeakers: [...new Set(sinceThen.flatMap(({ speaker }) => speaker ?? []))],
  };
}

const voices = new Map<string, DemoVoice>([
  ["creative_writer", creativeWriterVoice],
  ["data_scientist", dataScientistVoice],
  ["historian", historianVoice],
  ["product_manager", productManagerVoice],
  ["security_engineer", securityEngineerVoice],
  ["skeptic", skepticVoice],
  ["teacher", teacherVoice],
  ["tech_enthusiast", techEnthusiastVoice],
]);

/**
 * Finds the lines that answer a call. The provider port knows no personas, so the speaker is recognised by the
 * instructions: they start with a built-in persona's own, and other text may follow.
 *
 * @returns the persona's lines, or the neutral ones, and whether a built-in persona was recognised.
 */
function voiceOf(instructions: string | undefined): { voice: DemoVoice; isPersona: boolean } {
  const persona = builtinPersonas.find((candidate) => instructions?.startsWith(candidate.instructions));
  const voice = persona && voices.get(persona.id);
  return voice ? { voice, isPersona: true } : { voice: neutralVoice, isPersona: false };
}

import { createHash } from "node:crypto";
import type { JsonObject } from "../../ports/json.ts";
import type { ProviderRequest } from "../../ports/provider.ts";
import { quotation, shortened } from "./quotation.ts";
import { readContext } from "./read-context.ts";
import { voiceOf } from "./voice-of.ts";
import type { Variants } from "./voices/voice.ts";

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

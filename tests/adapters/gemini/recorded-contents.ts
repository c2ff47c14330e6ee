import { readdirSync, readFileSync } from "node:fs";
import { z } from "zod";

const folder = new URL("../../fixtures/recorded-gemini/", import.meta.url);

const partialArg = z.object({ jsonPath: z.string(), stringValue: z.string() });
const part = z.object({
  text: z.string().optional(),
  thought: z.boolean().optional(),
  thoughtSignature: z.string().optional(),
  functionCall: z
    .object({
      name: z.string().optional(),
      args: z.record(z.string(), z.unknown()).optional(),
      partialArgs: z.array(partialArg).optional(),
    })
    .optional(),
});
const recordedChunk = z.object({
  candidates: z.array(
    z.object({ content: z.object({ parts: z.array(part) }), finishReason: z.string().optional() }),
  ),
  usageMetadata: z.looseObject({
    promptTokenCount: z.number().optional(),
    candidatesTokenCount: z.number().optional(),
    thoughtsTokenCount: z.number().optional(),
  }),
  modelVersion: z.string(),
  responseId: z.string(),
});

export interface RecordedStream {
  readonly name: string;
  /** The chunks as Google wrote them. */
  readonly lines: readonly string[];
}

/** The result of reading all chunks. */
export interface FullAnswer {
  readonly text: string;
  readonly reasoning: string;
  readonly calls: readonly { readonly name: string; readonly args: object; readonly signature?: string }[];
  readonly usage: { readonly input: number | undefined; readonly output: number };
  /** `undefined` if it did not come. */
  readonly finish: string | undefined;
  readonly model: string;
  readonly id: string;
  /** The last signature of its texts. */
  readonly signature: string | undefined;
}

/** Every stream of the fixtures. */
export function recordedStreams(): RecordedStream[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".chunks.txt"))
    .sort()
    .map((file) => ({
      name: file.replace(".chunks.txt", ""),
      lines: readFileSync(new URL(file, folder), "utf8")
        .split("\n")
        .filter((line) => line.trim() !== ""),
    }));
}

/** Slow and obviously right, for the forms that are in the fixtures. */
export function readContentsInFull(lines: readonly string[]): FullAnswer {
  const chunks = lines.map((line) => recordedChunk.parse(JSON.parse(line)));
  const parts = chunks.flatMap(({ candidates }) => candidates.flatMap(({ content }) => content.parts));
  const said = parts.filter(({ text, thought }) => text !== undefined && thought !== true);
  const last = (name: "promptTokenCount" | "candidatesTokenCount" | "thoughtsTokenCount") =>
    chunks.flatMap(({ usageMetadata }) => usageMetadata[name] ?? []).at(-1);
  return {
    text: said.map(({ text }) => text).join(""),
    reasoning: parts.map(({ text, thought }) => (thought === true ? text : "")).join(""),
    calls: callsOf(parts),
    usage: {
      input: last("promptTokenCount"),
      output: (last("candidatesTokenCount") ?? 0) + (last("thoughtsTokenCount") ?? 0),
    },
    finish: chunks.flatMap(({ candidates }) => candidates.flatMap((one) => one.finishReason ?? [])).at(-1),
    model: chunks.at(-1)?.modelVersion ?? "",
    id: chunks.at(-1)?.responseId ?? "",
    signature: said.flatMap(({ thoughtSignature }) => thoughtSignature ?? []).at(-1),
  };
}

/** In these streams every argument is a text at the top of the arguments. */
function callsOf(parts: readonly z.output<typeof part>[]): FullAnswer["calls"] {
  const calls: { name: string; args: Record<string, unknown>; signature?: string }[] = [];
  for (const { functionCall, thoughtSignature } of parts) {
    if (functionCall === undefined) continue;
    const { name, args, partialArgs = [] } = functionCall;
    const signature = thoughtSignature === undefined ? {} : { signature: thoughtSignature };
    if (name !== undefined) calls.push({ name, args: { ...args }, ...signature });
    const call = calls.at(-1);
    for (const { jsonPath, stringValue } of call === undefined ? [] : partialArgs) {
      const field = jsonPath.slice("$.".length);
      if (call !== undefined) call.args[field] = `${call.args[field] ?? ""}${stringValue}`;
    }
  }
  return calls;
}

const frames = (lines: readonly string[], end = "\n\n") =>
  lines.map((line) => `data: ${line}${end}`).join("");

/** Ways in which Google and proxies frame the same chunks. */
export const contentFramings: Readonly<Record<string, (lines: readonly string[]) => string>> = {
  plainly: (lines) => frames(lines),
  "with CR LF": (lines) => frames(lines, "\r\n\r\n"),
  "with comments and [DONE]": (lines) => `: keep-alive\n\n${frames(lines)}data: [DONE]\n\n`,
  "as one list": (lines) => `[${lines.join("\n,\r\n")}]`,
};

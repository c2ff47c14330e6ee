import { z } from "zod";
import { list, opaqueName, optional, text, textOrList } from "./fields.ts";
import { wireLimits } from "./limits.ts";

/** Words that may be empty, such as the output of a tool. Lone surrogates are replaced, because no encoding can carry them. */
const anyText = z
  .string()
  .max(wireLimits.textChars)
  .overwrite((value) => value.toWellFormed());

const address = String.raw`https?:\/\/[^\s]{1,8000}`;
const data = String.raw`data:[\w.+\/-]{3,128};base64,[A-Za-z0-9+\/]+={0,2}`;
const addressOnly = z.string().regex(new RegExp(`^${address}$`), "an address that begins with https://");
const dataOnly = z.string().regex(new RegExp(`^${data}$`), "data:TYPE;base64,DATA");
const addressOrData = z
  .string()
  .regex(
    new RegExp(`^(${address}|${data})$`),
    "an address that begins with https://, or data:TYPE;base64,DATA",
  );

/** The error of a union by `type` names the known types. */
function knownTypes(types: readonly string[]) {
  const known = `must be ${types.slice(0, -1).join(", ")} or ${types.at(-1)}`;
  return { error: ({ code }: { code: string }) => (code === "invalid_union" ? known : undefined) };
}

/** States in the published schema a rule of the decoder: a file has one source. */
const oneSource = {
  oneOf: [
    { required: ["file_url"], properties: { file_url: { type: "string" } } },
    { required: ["file_data"], properties: { file_data: { type: "string" } } },
  ],
};

const part = z.discriminatedUnion(
  "type",
  [
    z.object({ type: z.literal("input_text"), text: anyText }),
    z.object({ type: z.literal("output_text"), text: anyText }),
    z.object({ type: z.literal("refusal"), refusal: anyText }),
    z.object({
      type: z.literal("input_image"),
      image_url: addressOrData,
      detail: optional(z.literal("auto")),
    }),
    z
      .object({
        type: z.literal("input_file"),
        filename: optional(opaqueName(256)),
        file_url: optional(addressOnly),
        file_data: optional(dataOnly),
      })
      .refine(({ file_url, file_data }) => (file_url === undefined) !== (file_data === undefined), {
        error: "must have either file_url or file_data",
      })
      .meta(oneSource),
  ],
  knownTypes(["input_text", "output_text", "refusal", "input_image", "input_file"]),
);
const someParts = { min: 1, max: wireLimits.inputParts };
const callId = opaqueName(512);

/**
 * An item of `data.input`, in the form of the Responses API. An answer's `output` has the same items, so a client can send it back. A
 * message may leave its type out. Fields that only the vendor fills, such as an id, are ignored.
 */
const inputItem = z.discriminatedUnion(
  "type",
  [
    z.object({
      type: z.literal("message").optional(),
      role: z.enum(["user", "assistant", "system", "developer"]),
      content: textOrList(text, part, someParts),
    }),
    z.object({
      type: z.literal("function_call"),
      call_id: callId,
      name: opaqueName(256),
      arguments: anyText,
    }),
    z.object({
      type: z.literal("function_call_output"),
      call_id: callId,
      output: textOrList(anyText, part, someParts),
    }),
    z.object({
      type: z.literal("reasoning"),
      summary: list(z.object({ text: anyText }), { max: wireLimits.inputParts }),
      encrypted_content: optional(z.string().max(200_000)),
    }),
  ],
  knownTypes(["message", "function_call", "function_call_output", "reasoning"]),
);

export const inputItems = list(inputItem, { min: 1, max: wireLimits.inputItems });

export type InputItem = z.output<typeof inputItem>;
export type InputPart = z.output<typeof part>;

import { z } from "zod";
import { type Item, itemLimits } from "./item.ts";
import { isObject, isWithin, type JsonObject } from "./json.ts";

/*
 * The schemas of items that are stored or sent between processes. Each has a limit, because a stored item may come from a client and
 * from another version.
 */

const { nameChars, urlChars, textChars, dataChars, jsonChars, jsonDepth } = itemLimits;

const text = z.string().max(textChars);
const name = z.string().max(nameChars);
const url = z.string().max(urlChars);
/** Foreign JSON, not copied. */
const json = z.custom<JsonObject>(
  (value) => isObject(value) && isWithin(value, { maxChars: jsonChars, maxDepth: jsonDepth }),
  "expected an object within the limits",
);

const ofItem = { providerState: z.looseObject({ provider: name, state: json }).exactOptional() };

const atAddress = { url, mediaType: name.exactOptional() };
const inline = { data: z.string().max(dataChars), mediaType: name };
const image = { type: z.literal("image") };
const file = { type: z.literal("file"), filename: name.exactOptional() };
const part = z.union([
  z.looseObject({ type: z.literal("text"), text }),
  z.looseObject({ ...image, ...inline }),
  z.looseObject({ ...image, ...atAddress }),
  z.looseObject({ ...file, ...inline }),
  z.looseObject({ ...file, ...atAddress }),
]);
const parts = z.array(part).max(itemLimits.parts);

const storedItem = z.discriminatedUnion("type", [
  z.looseObject({
    type: z.literal("message"),
    role: z.enum(["user", "assistant", "system"]),
    parts,
    ...ofItem,
  }),
  z.looseObject({ type: z.literal("tool-call"), callId: name, name, arguments: text, ...ofItem }),
  z.looseObject({ type: z.literal("tool-result"), callId: name, output: parts, ...ofItem }),
  z.looseObject({ type: z.literal("reasoning"), text, ...ofItem }),
  z.looseObject({ type: z.literal("source"), url, title: name.exactOptional(), ...ofItem }),
]);

export const storedItems = z.array(storedItem).max(itemLimits.items);

export const storedFunctions = z
  .array(
    z.looseObject({
      name,
      description: text.exactOptional(),
      parameters: json,
      strict: z.boolean().exactOptional(),
    }),
  )
  .max(itemLimits.functions);

/** The items of an answer if they can be stored, else `undefined`: the answer is then only its text. */
export function storableItems(items: readonly Item[] | undefined): readonly Item[] | undefined {
  if (items === undefined) return undefined;
  // A provider's state adds its own depth to that of the items around it.
  const limits = { maxChars: itemLimits.answerChars, maxDepth: 2 * jsonDepth };
  return isWithin(items, limits) && storedItems.safeParse(items).success ? items : undefined;
}

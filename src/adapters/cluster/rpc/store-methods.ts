import { z } from "zod";
import type { ConversationStore } from "../../../ports/conversation-store.ts";
import { storedItems } from "../../../ports/item.ts";
import type { ResponseStore } from "../../../ports/response-store.ts";
import { callOutcomes, type UsageSums, usageGroups } from "../../../ports/usage-store.ts";
import type { VendorIds } from "../../../ports/vendor-ids.ts";
import { type Methods, nothing } from "./remote-port.ts";

const text = z.string();
const count = z.int();

const storedMessage = z.object({
  id: text,
  parentId: text.exactOptional(),
  role: z.enum(["user", "assistant"]),
  personaId: text.exactOptional(),
  personaName: text.exactOptional(),
  requestId: text.exactOptional(),
  text,
  items: storedItems.exactOptional(),
  status: z.enum(["completed", "failed", "cancelled"]),
});
const newMessage = storedMessage.omit({ id: true, parentId: true }).extend({ id: text.exactOptional() });
const path = z.array(storedMessage.extend({ pathChars: count.exactOptional() }));
const head = z.object({ messageId: text.exactOptional() });
const headPath = z.object({ ...head.shape, pathChars: count, version: count, path });

const place = z.object({ message: count, offset: count });
const piece = z.object({
  message: storedMessage.omit({ items: true }).extend({ createdAtMs: z.number() }),
  goesOn: z.boolean(),
  isLast: z.boolean(),
});
const page = z.object({ pieces: z.array(piece), next: place.exactOptional() });
const summary = z.object({
  id: text,
  title: text,
  headId: text.exactOptional(),
  createdAtMs: z.number(),
  updatedAtMs: z.number(),
});
const match = z.object({ conversationId: text, messageId: text, title: text, excerpt: text });

/** The methods of conversations, for calls between processes. */
export const conversationMethods: Methods<ConversationStore> = {
  create: [z.tuple([text, text.optional()]), text],
  head: [z.tuple([text, text]), head.optional()],
  path: [z.tuple([text, text, text, count]), path.optional()],
  headPath: [z.tuple([text, text, count]), headPath.optional()],
  ofRequest: [z.tuple([text, text, text]), z.array(storedMessage)],
  requests: [z.tuple([text, text, text.optional()]), z.array(text).optional()],
  disown: [z.tuple([text, text, text]), nothing],
  append: [z.tuple([text, text, text.or(z.undefined()), z.array(newMessage)]), z.array(text).optional()],
  moveHead: [z.tuple([text, text, text]), nothing],
  list: [
    z.tuple([text, z.object({ limit: count, before: text.optional() })]),
    z.object({ conversations: z.array(summary), next: text.exactOptional() }),
  ],
  summary: [z.tuple([text, text]), summary.optional()],
  messages: [z.tuple([text, text, count, place.optional()]), page.optional()],
  beginning: [z.tuple([text, text, text, count]), text.optional()],
  rename: [z.tuple([text, text, text]), z.boolean()],
  remove: [z.tuple([text, text]), z.boolean()],
  search: [z.tuple([text, text, count]), z.array(match)],
};

const sum = z.object({
  day: count.exactOptional(),
  api: text.exactOptional(),
  model: text.exactOptional(),
  keyId: text.exactOptional(),
  conversationId: text.exactOptional(),
  requestId: text.exactOptional(),
  callId: text.exactOptional(),
  atMs: z.number().exactOptional(),
  outcome: z.enum(callOutcomes).exactOptional(),
  calls: count,
  inputTokens: count,
  outputTokens: count,
  estimated: z.boolean(),
  cost: z.object({ usd: z.number().exactOptional(), approximate: z.boolean(), unknownCalls: count }),
});
const sumPlace = z.object({ day: z.int(), first: text, second: text });

/** The methods of usage sums, for calls between processes. */
export const usageMethods: Methods<UsageSums> = {
  sums: [
    z.tuple([text, count, count, z.enum(usageGroups).or(z.undefined()), sumPlace.optional()]),
    z.array(sum),
  ],
};

const keptResponse = z.object({ id: text, previousId: text.exactOptional(), items: storedItems });

/** The methods of responses, for calls between processes. */
export const responseMethods: Methods<ResponseStore> = {
  keep: [z.tuple([text, keptResponse]), nothing],
  context: [z.tuple([text, text, count]), storedItems.optional()],
};

/** The methods of vendor ids, for calls between processes. */
export const vendorIdMethods: Methods<VendorIds> = {
  note: [z.tuple([text, z.array(text)]), nothing],
  isOwn: [z.tuple([text, text]), z.boolean()],
};

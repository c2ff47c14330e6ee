import { z } from "zod";
import type { ConversationStore } from "../../../ports/conversation-store.ts";
import { storedItems } from "../../../ports/stored-items.ts";
import type { UsageSums } from "../../../ports/usage-store.ts";
import type { VendorIds } from "../../../ports/vendor-ids.ts";
import type { Methods } from "./remote-port.ts";

const text = z.string();
const count = z.int();

const newMessage = z.object({
  role: z.enum(["user", "assistant"]),
  personaId: text.exactOptional(),
  id: text.exactOptional(),
  personaName: text.exactOptional(),
  requestId: text.exactOptional(),
  text,
  items: storedItems.exactOptional(),
  status: z.enum(["completed", "failed", "cancelled"]),
});

const place = z.object({ message: count, offset: count });

/** The methods of conversations, for calls between processes. */
export const conversationMethods: Methods<ConversationStore> = {
  create: z.tuple([text, text.optional()]),
  head: z.tuple([text, text]),
  path: z.tuple([text, text, text, count]),
  headPath: z.tuple([text, text, count]),
  ofRequest: z.tuple([text, text, text]),
  requests: z.tuple([text, text, text.optional()]),
  disown: z.tuple([text, text, text]),
  append: z.tuple([text, text, text.or(z.undefined()), z.array(newMessage)]),
  moveHead: z.tuple([text, text, text]),
  list: z.tuple([text, z.object({ limit: count, before: text.optional() })]),
  summary: z.tuple([text, text]),
  messages: z.tuple([text, text, count, place.optional()]),
  beginning: z.tuple([text, text, text, count]),
  rename: z.tuple([text, text, text]),
  remove: z.tuple([text, text]),
  search: z.tuple([text, text, count]),
};

const sumPlace = z.object({ day: count, api: text, model: text });

/** The methods of usage sums, for calls between processes. */
export const usageMethods: Methods<UsageSums> = { sums: z.tuple([text, count, count, sumPlace.optional()]) };

/** The methods of vendor ids, for calls between processes. */
export const vendorIdMethods: Methods<VendorIds> = {
  note: z.tuple([text, z.array(text)]),
  isOwn: z.tuple([text, text]),
};

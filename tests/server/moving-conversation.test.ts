import { it } from "node:test";
import { startTroupe } from "../support/start-troupe.ts";
import { moveConversation } from "./move-conversation.ts";

it("a conversation with a picture and a function call moves through four APIs and back, with its context", () =>
  moveConversation(startTroupe));

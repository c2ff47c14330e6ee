import type { Attack } from "./attack.ts";
import { costlyFrame } from "./kinds/costly-frame.ts";
import { craftedSearch } from "./kinds/crafted-search.ts";
import { crowdedQuestions } from "./kinds/crowded-questions.ts";
import { frameFlood } from "./kinds/frame-flood.ts";
import { largeDeletion } from "./kinds/large-deletion.ts";
import { largeQuestions } from "./kinds/large-questions.ts";
import { longConversation } from "./kinds/long-conversation.ts";
import { manyTickets } from "./kinds/many-tickets.ts";
import { manyTurns } from "./kinds/many-turns.ts";
import { newSecrets } from "./kinds/new-secrets.ts";
import { reasoningFlood, toolFlood } from "./kinds/payload-floods.ts";
import { refusedRequests } from "./kinds/refused-requests.ts";
import { stalledFollowers } from "./kinds/stalled-followers.ts";
import { unfinishedMessages } from "./kinds/unfinished-messages.ts";
import { unreadBodies } from "./kinds/unread-bodies.ts";
import { waitingFrames } from "./kinds/waiting-frames.ts";
import { wrongKeys } from "./kinds/wrong-keys.ts";

/** All attacks, in the order of the page. */
export const attacks: readonly Attack[] = [
  ...[costlyFrame, refusedRequests, waitingFrames, crowdedQuestions],
  ...[longConversation, unreadBodies, stalledFollowers, toolFlood, reasoningFlood, unfinishedMessages],
  ...[craftedSearch, largeDeletion, largeQuestions, manyTurns],
  ...[manyTickets, newSecrets, wrongKeys, frameFlood],
];

import type { ReplyEnd } from "../../src/chat/chat-context.ts";
import { beginConversationTurn } from "../../src/chat/ensemble/conversation-turn.ts";
import { type Policy, parallel } from "../../src/chat/ensemble/policy.ts";
import { runStage } from "../../src/chat/ensemble/stage.ts";
import type { RecoveredLane } from "../../src/chat/recovered-lanes.ts";
import { textMessage } from "../../src/ports/item.ts";
import type { PersonaAnswer, TurnAnswer, TurnEvent } from "../../src/ports/turn-event.ts";
import type { TurnRequest } from "../../src/ports/turn-request.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import {
  type ChatSetup,
  end,
  type Played,
  type ProviderScript,
  play,
  say,
  sayThenWait,
} from "./chat-setup.ts";
import { rawPacing } from "./paced-run.ts";
import { personas } from "./personas.ts";

export type PersonasRequest = Exclude<TurnRequest, { kind: "responses" }>;
type Answers = Extract<TurnAnswer, { kind: "personas" }>;

const owner = "owner";

/** A question to all three personas. */
export const request: PersonasRequest = {
  kind: "personas",
  input: [textMessage("user", "Well?")],
  personaIds: ["ada", "bob", "cleo"],
  api: "openai",
  pacing: rawPacing,
  showText: true,
};

/** Picks a provider script for each call by the persona's instructions. */
export function byPersona(scripts: Record<string, ProviderScript>): ProviderScript {
  return (call) => {
    const name = /^You are (\w+)/.exec(call.request.instructions ?? "")?.[1] ?? "";
    const script = scripts[name];
    if (script === undefined) throw new Error(`no script for ${name}`);
    return script(call);
  };
}

export const answers = (text: string): ProviderScript =>
  async function* () {
    yield [say(text), end];
  };
export const fails = (text: string, error: unknown = new TroupeError("upstream_truncated")): ProviderScript =>
  async function* () {
    if (text !== "") yield [say(text)];
    throw error;
  };
export const waits =
  (text: string): ProviderScript =>
  ({ signal }) =>
    sayThenWait(text, signal);

export async function ask(
  setup: ChatSetup,
  changes: Partial<PersonasRequest> = {},
  onBatch?: (batch: readonly TurnEvent[]) => void,
  policy: Policy = parallel,
  over: readonly RecoveredLane[] = [],
) {
  const { dependencies, choice, context } = setup;
  const conversationId = await dependencies.conversations.create(owner);
  const conversation = await beginConversationTurn(dependencies, owner, conversationId, { text: "Well?" });
  const asked = { ...request, ...changes } as PersonasRequest;
  const cast = {
    members: personas
      .filter(({ id }) => asked.personaIds.includes(id))
      .map((persona) => ({ persona, choice })),
    conversation,
    over,
  };
  const played = await play(
    (emit) => runStage(policy, asked, cast, dependencies, { ...context, emit }),
    onBatch,
  );
  const head = await dependencies.conversations.head(owner, conversationId);
  const headId = head?.messageId ?? "";
  const stored = (await dependencies.conversations.path(owner, conversationId, headId, 1_000_000)) ?? [];
  return { ...played, conversationId, stored };
}

export function answerOf({ result, thrown }: Played<ReplyEnd>): Answers {
  if (result?.answer.kind !== "personas") throw new Error("no answer of personas", { cause: thrown });
  return result.answer;
}

export const statuses = (played: Played<ReplyEnd>) => answerOf(played).answers.map(({ status }) => status);
export const laneAnswers = ({ events }: Played<ReplyEnd>): PersonaAnswer[] =>
  events.flatMap((event) => (event.type === "lane-answer" ? [event.answer] : []));

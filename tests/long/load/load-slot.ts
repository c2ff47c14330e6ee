import { randomUUID } from "node:crypto";
import type { ServerMessage } from "../../../src/protocol/server-messages.ts";
import { connect, textOf } from "../../support/wire-client.ts";
import { knownText } from "./known-text.ts";
import type { SlotGate } from "./slot-gate.ts";

/** The kind of request that a slot sends, with its lanes by persona; no lanes for a nameless voice. */
export interface SlotKind {
  readonly type: "openai_chat" | "chat" | "multi_chat";
  readonly personaIds: readonly string[];
}

export interface SlotReport {
  /** Texts that arrived whole and right. */
  readonly texts: number;
  readonly messages: number;
  /** Descriptions of the faults, if there were any. */
  readonly wrong: readonly string[];
}

/**
 * One client that asks again as soon as it is answered, until the signal aborts, and then waits for its last answer.
 * Every second client names its requests.
 */
export async function runSlot(
  url: string,
  { number, kind, gate, stop }: { number: number; kind: SlotKind; gate: SlotGate; stop: AbortSignal },
): Promise<SlotReport> {
  const client = await connect(url);
  const wrong: string[] = [];
  let texts = 0;
  let messages = 0;
  for (let round = 0; ; round += 1) {
    await gate.pass();
    if (stop.aborted) break;
    const question = `Slot ${number}, question ${round}?`;
    client.send({
      type: kind.type,
      ...(number % 2 === 0 ? { id: randomUUID() } : {}),
      data: dataOf(kind, question),
    });
    const answer = await client.untilTerminal();
    messages += answer.length;
    const complaints = check(kind, question, answer);
    wrong.push(...complaints.map((complaint) => `${question} ${complaint}`));
    if (complaints.length === 0) texts += Math.max(1, kind.personaIds.length);
  }
  if (client.received.length !== messages) wrong.push(`slot ${number} got messages that it did not ask for`);
  client.close();
  await client.closed;
  return { texts, messages, wrong };
}

function dataOf({ type, personaIds }: SlotKind, question: string): object {
  if (type === "openai_chat") return { input_text: question };
  if (type === "chat") return { message: question, persona_id: personaIds[0] };
  return { message: question, persona_ids: personaIds };
}

function check({ type, personaIds }: SlotKind, question: string, answer: readonly ServerMessage[]): string[] {
  const complaints: string[] = [];
  const expect = (isSo: boolean, complaint: string) => {
    if (!isSo) complaints.push(complaint);
  };
  const seqs = answer.map((message) => ("seq" in message ? message.seq : undefined));
  expect(
    seqs.every((seq, index) => seq === index + 1),
    `was answered with the numbers ${seqs}`,
  );
  const end = answer.at(-1);
  if (end?.type !== "response" || end.status !== "completed") {
    return [...complaints, `ended with ${JSON.stringify(end)}`];
  }
  const lanes = personaIds.length === 0 ? [undefined] : personaIds;
  for (const personaId of lanes) {
    const text = knownText(question, personaId ?? "");
    expect(textOf(answer, personaId) === text, `has wrong chunks from ${personaId}`);
    expect(finalText(end.data, personaId) === text, `has a wrong final text from ${personaId}`);
    const finals = answer.filter(
      (message) => message.type === "chunk" && message.is_final && message.persona_id === personaId,
    );
    expect(finals.length === 1, `has ${finals.length} final chunks from ${personaId}`);
  }
  expect(
    type !== "multi_chat" || ("outcome" in end.data && end.data.outcome === "complete"),
    "is not complete",
  );
  return complaints;
}

function finalText(
  data: Extract<ServerMessage, { type: "response" }>["data"],
  personaId: string | undefined,
): unknown {
  if ("responses" in data && Array.isArray(data.responses)) {
    return data.responses.find((response) => response.persona_id === personaId)?.response;
  }
  if ("output_text" in data) return data.output_text;
  return "response" in data ? data.response : undefined;
}

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { openBeside } from "../support/open-beside.ts";
import { createNumbers } from "../support/seen-numbers.ts";
import { createInterruptedServer, replay } from "./interrupted-server.ts";

const pacing = { mode: "fixed", chunk_chars: 8, interval_ms: 100 };
const asks = {
  openai_chat: { input_text: "Hi", pacing },
  chat: { message: "Hi", persona_id: "teacher", pacing },
  multi_chat: { message: "Hi", persona_ids: ["teacher", "skeptic"], pacing },
};
type Kind = keyof typeof asks;

const text = "One two three four five six.";
const script = streamScript(answer({ deltas: text.split(/(?<= )/) }));

const frameOf = (kind: Kind, onInterrupt: string, retry?: number) => ({
  type: kind,
  id: "r",
  data: { ...asks[kind], on_interrupt: onInterrupt, ...(retry === undefined ? {} : { retry }) },
});

/** Number of commits from one crash point to the next. */
const strides = { openai_chat: 1, chat: 4, multi_chat: 6 };

function seqOf(message: ServerMessage | undefined): number {
  return message !== undefined && "seq" in message ? (message.seq ?? 0) : 0;
}

/** Checks that the conversation has the question once, and one answer of each persona that counts as the request's. */
function checkStored(database: string, kind: Kind): void {
  using opened = openBeside(database, { readOnly: true });
  const stored = opened
    .prepare("SELECT role, text, persona_id FROM messages WHERE request_id = 'r' ORDER BY number")
    .all();
  const personas = { openai_chat: [], chat: ["teacher"], multi_chat: ["skeptic", "teacher"] }[kind];
  assert.equal(stored.filter(({ role }) => role === "user").length, kind === "openai_chat" ? 0 : 1);
  assert.deepEqual(
    stored
      .filter(({ role }) => role === "assistant")
      .map((row) => row.persona_id)
      .toSorted(),
    personas,
  );
  for (const row of stored) if (row.role === "assistant") assert.equal(row.text, text);
  const questions = opened.prepare("SELECT count(*) AS count FROM messages WHERE role = 'user'").get();
  assert.equal(questions?.count, kind === "openai_chat" ? 0 : 1);
}

describe("a request that is retried while its server dies", () => {
  for (const kind of Object.keys(asks) as Kind[])
    for (const onInterrupt of ["error", "restart"])
      it(`${kind}, ${onInterrupt}: no number means two things, and one answer comes after a crash before any commit`, async () => {
        let deaths = 0;
        for (let nth = onInterrupt === "error" ? 1 : 2; ; nth += strides[kind]) {
          await using at = await createInterruptedServer();
          const numbers = createNumbers();
          let isBroken = true;
          at.upstream.respond(() => (isBroken ? [...script.slice(0, 7), { reset: true }] : [...script]));
          let error = 0;
          {
            await using server = await at.start();
            const client = await server.connect();
            client.send(frameOf(kind, onInterrupt));
            const messages = await client.untilTerminal("r");
            numbers.note(messages);
            error = seqOf(messages.at(-1));
          }
          isBroken = false;
          const seen = await at.askAndDie(frameOf(kind, onInterrupt, error), { nth });
          if (seen === undefined) break;
          deaths += 1;
          numbers.note(seen);
          await using server = await at.start();
          const client = await server.connect();
          const kept = await replay(client, "r");
          numbers.note(kept);
          let end = kept.at(-1);
          for (let tries = 0; end?.type === "error"; tries += 1) {
            assert.ok(end.retryable && tries < 2, JSON.stringify(end));
            const back = await server.connect();
            back.send(frameOf(kind, onInterrupt, seqOf(end)));
            const messages = await back.untilTerminal("r");
            numbers.note(messages);
            end = messages.at(-1);
          }
          assert.equal(end?.type, "response");
          checkStored(at.database, kind);
        }
        assert.ok(deaths > 2, `${deaths} crashes`);
      });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type ConnectionState,
  createTranscript,
  failTranscript,
  foldMessage,
  type RequestStanding,
  type Transcript,
} from "../../src/client/index.ts";
import {
  activityWords,
  laneWords,
  noticeWords,
  problemWords,
  standstillOf,
  transcriptWords,
} from "../../src/page/words.ts";
import { chatAnswer } from "../client/answers.ts";

const running = chatAnswer("r", 8)
  .slice(0, 5)
  .reduce(foldMessage, createTranscript(["ada"]));
const waiting = createTranscript(["ada"]);
const open: ConnectionState = { name: "open", attempt: 0 };
const idle: ConnectionState = { name: "idle" };
const lost: ConnectionState = {
  ...{ name: "waiting", attempt: 1, retryAtMs: 0 },
  loss: { code: 1006, reason: "" },
};
const failure = (code: "closed" | "lost" | "upstream_error") => ({ code, message: "M.", retryable: true });

describe("a request on the page", () => {
  for (const [transcript, standing, state, why, words] of [
    [running, "followed", open, undefined, "running"],
    [waiting, "followed", open, undefined, "waiting for the server"],
    [waiting, "unsent", idle, "not sent yet", "not sent yet"],
    [waiting, "unsent", lost, "not sent yet", "not sent yet"],
    [running, "unfollowed", lost, "no connection", "no connection"],
    [running, "unfollowed", { name: "connecting", attempt: 2 }, "no connection", "no connection"],
    [running, "unfollowed", idle, "not followed", "not followed"],
    [failTranscript(running, failure("closed")), "ended", open, "not followed", "not followed"],
    [failTranscript(waiting, failure("closed")), undefined, open, "not followed", "not followed"],
    [failTranscript(running, failure("upstream_error")), "ended", lost, undefined, "failed"],
    [chatAnswer("r", 8).reduce(foldMessage, waiting), "ended", idle, undefined, "completed"],
  ] as const) {
    it(`is “${words}” when it is ${transcript.status}, ${standing} and the connection ${state.name}`, () => {
      const found = standstillOf(transcript, standing as RequestStanding | undefined, state);
      assert.equal(found, why);
      assert.equal(transcriptWords(transcript, found), words);
    });
  }

  it("tells the tokens of a lane while it speaks and when it is done", () => {
    const usage = { input_tokens: 5, output_tokens: 7, total_tokens: 12, estimated: true };
    const words = (transcript: Transcript) => transcript.lanes.map((lane) => laneWords(lane, undefined));
    assert.deepEqual(words(running), ["speaking"]);
    const tell = (told: typeof usage) =>
      foldMessage(running, {
        ...{ type: "status", status: "streaming", message: "Receiving...", persona_id: "ada" },
        ...{ usage: told, request_id: "r", seq: 6 },
      });
    const told = tell(usage);
    assert.deepEqual(words(told), ["speaking · about 7 tokens"]);
    assert.deepEqual(words(tell({ ...usage, output_tokens: 1 })), ["speaking · about 1 token"]);
    assert.match(words(chatAnswer("r", 8).slice(5).reduce(foldMessage, told))[0] ?? "", /^done · .* tokens/);
  });

  it("has a problem only if it failed, and else a hint", () => {
    const failed = failTranscript(running, failure("upstream_error"));
    assert.match(problemWords(failed), /upstream_error/);
    assert.equal(noticeWords(failed), "");
    const left = failTranscript(running, failure("closed"));
    assert.equal(problemWords(left), "");
    assert.match(noticeWords(left), /may go on with it. Connect/);
    assert.match(noticeWords(failTranscript(running, failure("lost"))), /^M\. Connect/);
  });

  it("is counted as running only if it was sent and is followed", () => {
    assert.equal(activityWords([], []), "Nothing runs.");
    assert.equal(activityWords(["chat"], []), "1 request runs: chat.");
    assert.equal(
      activityWords(["chat", "multi_chat"], ["not sent yet", "not followed", "no connection"]),
      "2 requests run: chat, multi_chat. 1 request waits to be sent. 2 requests are not followed.",
    );
  });
});

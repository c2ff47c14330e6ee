import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { closeBrowser, openContext, withBrowser } from "./page/browser.ts";
import { openPlayground, type Playground } from "./page/playground.ts";

after(closeBrowser);

/** Slows the answers down so that none ends by itself during a test: the first ten characters, then a long pause. */
async function slowDown(playground: Playground): Promise<void> {
  await playground.fill("pacing.mode", "fixed");
  await playground.fill("pacing.chunk_chars", "10");
  await playground.fill("pacing.interval_ms", "10000");
}

function finalOf(messages: readonly ServerMessage[]) {
  const last = messages.findLast((message) => message.type === "response");
  assert.ok(last, "there was a final response");
  return last;
}

describe("the page, served by the server", withBrowser, () => {
  it("connects, says so, and shows an answer of each type", async () => {
    await using server = await startTroupe();
    await using context = await openContext();
    const playground = await openPlayground(context, server.httpUrl);
    const { page, status } = playground;
    assert.equal(await page.locator("#url").inputValue(), server.url);
    assert.equal(await page.locator("#token-field").isVisible(), false);
    assert.equal(await page.locator("#demo").isVisible(), true);
    assert.match(await status.innerText(), /Not connected/);
    await page.getByRole("button", { name: "Connect" }).click();
    await status.getByText(`Connected to ${server.url}.`).waitFor();
    await playground.fill("pacing.mode", "raw");

    await playground.choose("chat");
    await playground.fill("message", "<img src=x onerror=alert(1)> What is new?");
    await playground.fill("temperature", "0.7");
    await playground.fill("max_tokens", "1000");
    await playground.send();
    await playground.untilTurn("completed");
    const chat = finalOf(playground.received);
    assert.deepEqual(await playground.texts(), ["response" in chat.data ? chat.data.response : undefined]);
    assert.deepEqual(playground.sent.at(-1)?.data, {
      message: "<img src=x onerror=alert(1)> What is new?",
      temperature: 0.7,
      max_tokens: 1000,
      pacing: { mode: "raw" },
      persona_id: "tech_enthusiast",
    });
    assert.equal(await page.locator("#turns img").count(), 0);
    assert.match(await playground.turn.innerText(), /demonstration, no model/);

    await playground.choose("multi_chat");
    await page.locator("#field-message").press("Control+Enter");
    await playground.untilTurn("completed");
    const multi = finalOf(playground.received);
    assert.ok("responses" in multi.data && Array.isArray(multi.data.responses));
    assert.deepEqual(
      (await playground.texts()).sort(),
      multi.data.responses.map((answer: { response: string }) => answer.response).sort(),
    );
    assert.equal((await playground.texts()).length, 3);

    await playground.choose("openai_chat");
    await playground.fill("tools", '[{"type": "web_search"}]');
    await page.getByLabel("Stream a summary of the reasoning").check();
    await playground.send();
    await playground.untilTurn("completed");
    const openai = finalOf(playground.received);
    assert.deepEqual(await playground.texts(), [
      "output_text" in openai.data ? openai.data.output_text : undefined,
    ]);
    assert.match(await playground.turn.innerText(), /Reasoning/);
    assert.match(await playground.turn.innerText(), /web_search completed/);

    await playground.fill("previous_response_id", "");
    await page.getByRole("button", { name: "Use last" }).click();
    assert.equal(
      await page.locator("#field-previous_response_id").inputValue(),
      openai.data["id" as keyof object],
    );
    assert.match(await status.innerText(), /Nothing runs/);
    assert.deepEqual(playground.faults, []);
  });

  it("stops a request, and one lane of another", async () => {
    await using server = await startTroupe();
    await using context = await openContext();
    const playground = await openPlayground(context, server.httpUrl);
    await slowDown(playground);
    await playground.send();
    await playground.status.getByText("1 request runs: chat.").waitFor();
    await playground.turn.locator(".lane[data-status=streaming]").waitFor();
    await playground.turn.getByRole("button", { name: "Stop", exact: true }).click();
    await playground.untilTurn("cancelled");
    assert.equal(finalOf(playground.received).status, "cancelled");

    await playground.choose("multi_chat");
    await playground.send();
    const lanes = playground.turn.locator(".lane");
    await playground.turn.locator(".lane[data-status=streaming]").nth(2).waitFor();
    await lanes.nth(1).getByRole("button").click();
    await playground.turn.locator(".lane[data-status=cancelled]").waitFor();
    assert.equal(await lanes.nth(1).getAttribute("data-status"), "cancelled");
    assert.equal(await playground.turn.locator(".lane[data-status=streaming]").count(), 2);
    await playground.page.getByRole("button", { name: "Stop all" }).click();
    await playground.untilTurn("cancelled");
    assert.equal(server.troupe.stats().turns, 0);
    assert.deepEqual(playground.faults, []);
  });

  it("resumes after a dropped connection with nothing lost and nothing twice", async () => {
    await using server = await startTroupe();
    await using context = await openContext();
    const playground = await openPlayground(context, server.httpUrl);
    await playground.choose("multi_chat");
    await playground.send();
    for (const chars of [80, 200]) {
      await playground.untilText(chars);
      await playground.page.getByRole("button", { name: "Drop the connection" }).click();
      await playground.status.getByText("Connection lost").waitFor();
      await playground.status.getByText("Connected to").waitFor();
    }
    await playground.untilTurn("completed");

    const resumes = playground.sent.filter((frame) => frame.type === "resume");
    assert.equal(resumes.length, 2);
    const final = finalOf(playground.received);
    const chunks = playground.received.filter((message) => message.type === "chunk");
    const once = new Map(chunks.map((message) => [message.seq, message]));
    assert.ok("responses" in final.data && Array.isArray(final.data.responses));
    const shown = await playground.texts();
    for (const { persona_id: personaId, response } of final.data.responses) {
      const own = [...once.values()].filter((message) => message.persona_id === personaId);
      assert.equal(
        own
          .sort((a, b) => a.seq - b.seq)
          .map((message) => message.chunk)
          .join(""),
        response,
      );
      assert.ok(shown.includes(response));
    }
    assert.deepEqual(playground.faults, []);
  });

  it("puts an error beside the field at fault", async () => {
    await using server = await startTroupe();
    await using context = await openContext();
    const playground = await openPlayground(context, server.httpUrl);
    const { page } = playground;
    await playground.fill("temperature", "9");
    await playground.send();
    await page.locator("#field-temperature-problem").getByText("data.temperature").waitFor();
    assert.equal(await page.locator("#field-temperature").getAttribute("aria-invalid"), "true");
    assert.equal(await page.locator("#field-temperature:focus").count(), 1);
    await playground.untilTurn("failed");
    assert.match(await playground.status.innerText(), /invalid_message/);

    await page.getByLabel("Or another id").fill("nobody");
    await playground.fill("temperature", "");
    await playground.send();
    await page.locator("#field-personas-problem").getByText("persona").waitFor();

    await page.getByLabel("Or another id").fill("");
    await playground.choose("multi_chat");
    const members = [{ persona_id: "nobody", api: "openai" }];
    await playground.fill("members", JSON.stringify(members));
    await playground.send();
    await page.locator("#field-members-problem").getByText("persona").waitFor();
    assert.deepEqual(playground.sent.at(-1)?.data?.members, members);

    await playground.choose("openai_chat");
    await playground.fill("options", '{"instruction": "misspelt"}');
    await playground.send();
    await page.locator("#field-options-problem").getByText("data.options.instruction").waitFor();
    const sent = playground.sent.length;
    await playground.fill("options", "{");
    await playground.send();
    await page.locator("#field-options-problem").getByText("not JSON").waitFor();
    assert.equal(playground.sent.length, sent);
    assert.deepEqual(playground.faults, []);
  });

  it("sends as the bare specification does, without ids", async () => {
    await using server = await startTroupe();
    await using context = await openContext();
    const playground = await openPlayground(context, server.httpUrl);
    await playground.fill("pacing.mode", "raw");
    await playground.page.getByLabel("Name the request").uncheck();
    await playground.send();
    await playground.send();
    await playground.untilTurn("completed");
    assert.deepEqual(
      playground.sent.map((frame) => [frame.type, frame.id]),
      [
        ["chat", undefined],
        ["chat", undefined],
      ],
    );
    assert.equal(await playground.page.locator(".turn[data-status=completed]").count(), 2);
  });

  it("shows in one tab the questions of another in the same conversation", async () => {
    await using server = await startTroupe();
    await using context = await openContext();
    const asking = await openPlayground(context, server.httpUrl);
    const looking = await openPlayground(context, server.httpUrl);
    await asking.fill("pacing.mode", "raw");
    await asking.send();
    await asking.untilTurn("completed");
    const { data } = finalOf(asking.received);
    assert.ok("conversation_id" in data && typeof data.conversation_id === "string");
    await looking.fill("conversation_id", data.conversation_id);
    await looking.page.getByRole("button", { name: "Follow this conversation" }).click();
    await looking.status.getByText("Connected to").waitFor();
    await asking.fill("message", "And then?");
    await asking.send();
    await looking.untilTurn("completed");
    await asking.untilTurn("completed");
    assert.match(await looking.turn.innerText(), /And then\?/);
    assert.deepEqual(await looking.texts(), await asking.texts());
  });

  it("keeps the last 500 frames, copies and clears them", async () => {
    await using server = await startTroupe();
    await using context = await openContext({ permissions: ["clipboard-read", "clipboard-write"] });
    const playground = await openPlayground(context, server.httpUrl);
    const { page } = playground;
    await playground.choose("multi_chat");
    await playground.fill("pacing.mode", "fixed");
    await playground.fill("pacing.chunk_chars", "3");
    await playground.fill("pacing.interval_ms", "10");
    await playground.send();
    await playground.untilTurn("completed");
    const seen = playground.sent.length + playground.received.length;
    assert.ok(seen > 500, `${seen} frames`);
    assert.equal(await page.locator("#frames > li").count(), 500);
    await page.locator("#frames-count").getByText(`${seen}, the last 500 shown`).waitFor();
    await page.getByRole("button", { name: "Copy" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    const copied: string = await page.evaluate("navigator.clipboard.readText()");
    assert.equal(copied.split("\n").length, 500);
    assert.ok(copied.endsWith(JSON.stringify(playground.received.at(-1))));
    await page.locator("#frames > li").last().locator("summary").click();
    assert.match(await page.locator("#frames pre").innerText(), /"type": "response"/);
    await page.getByRole("button", { name: "Clear" }).click();
    assert.equal(await page.locator("#frames > li").count(), 0);
  });
});

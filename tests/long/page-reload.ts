import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { startTroupe } from "../support/start-troupe.ts";
import { closeBrowser, openContext, withBrowser } from "./page/browser.ts";
import { openPlayground, type Playground } from "./page/playground.ts";

after(closeBrowser);

const key = "ada-0123456789abcdef";

/** Asks several personas and waits until they speak. The answer takes some seconds. */
async function askSlowly(playground: Playground, question = "What do you think about AI?"): Promise<void> {
  await playground.choose("multi_chat");
  await playground.fill("message", question);
  await playground.fill("pacing.mode", "fixed");
  await playground.fill("pacing.chunk_chars", "12");
  await playground.send();
  await playground.untilText(30);
}

/** The final answers as the server sent them, in the order of the lanes. */
function answersOf({ received }: Playground): string[] {
  const last = received.findLast((message) => message.type === "response");
  assert.ok(last !== undefined && "responses" in last.data && Array.isArray(last.data.responses));
  return last.data.responses.map(({ response }: { response: string }) => response);
}

describe("a page that is loaded again", withBrowser, () => {
  it("shows its ended and running requests again, and the running answer grows on", async () => {
    await using server = await startTroupe();
    await using context = await openContext();
    const playground = await openPlayground(context, server.httpUrl);
    const { page, status } = playground;
    await playground.fill("pacing.mode", "raw");
    await playground.fill("message", "Who ended?");
    await playground.send();
    await playground.untilTurn("completed");
    const [ended = ""] = await playground.texts();
    await askSlowly(playground, "Who runs?");
    const early = (await playground.texts())[0] ?? "";
    const asked = playground.sent.length;

    await page.reload();
    await status.getByText(`Connected to ${server.url}.`).waitFor();
    await status.getByText("1 request runs: multi_chat.").waitFor();
    await playground.turn.locator(".question").getByText("Who runs?").waitFor();
    assert.equal(await playground.turn.getAttribute("data-status"), "running");
    await playground.untilText(early.length + 30);
    await playground.untilTurn("completed");
    assert.deepEqual(await playground.texts(), answersOf(playground));
    const first = page.locator(".turn").nth(1);
    assert.match(await first.innerText(), /Who ended\?/);
    assert.equal(await first.locator(".lane-body > .prose").textContent(), ended);
    // Neither question is asked twice: both answers are fetched by their ids.
    assert.deepEqual(
      playground.sent.slice(asked).map(({ type, data }) => [type, data?.after_seq]),
      [
        ["resume", 0],
        ["resume", 0],
      ],
    );

    // The conversation goes on over the new connection.
    await playground.choose("chat");
    await playground.send();
    await playground.untilTurn("completed");
    const [before, after] = playground.received.filter(({ type }) => type === "response").slice(-2);
    assert.ok(before?.type === "response" && after?.type === "response");
    assert.equal(after.data.conversation_id, before.data.conversation_id);
    assert.deepEqual(playground.faults, []);
  });

  for (const { name, type, isNamed } of [
    { name: "of a model", type: "openai_chat", isNamed: true },
    { name: "that it sent without a name", type: "chat", isNamed: false },
  ] as const) {
    it(`follows an answer ${name}`, async () => {
      await using server = await startTroupe();
      await using context = await openContext();
      const playground = await openPlayground(context, server.httpUrl);
      await playground.choose(type);
      await playground.fill("pacing.mode", "fixed");
      await playground.fill("pacing.chunk_chars", "10");
      if (!isNamed) await playground.page.getByLabel("Name the request").uncheck();
      await playground.send();
      await playground.untilText(20);
      await playground.page.reload();
      await playground.untilText(40);
      assert.equal(await playground.turn.getAttribute("data-status"), "running");
      await playground.untilTurn("completed");
      assert.deepEqual(
        playground.sent.map((frame) => frame.type),
        [type, "resume"],
      );
    });
  }

  it("can stop a request of before", async () => {
    await using server = await startTroupe();
    await using context = await openContext();
    const playground = await openPlayground(context, server.httpUrl);
    await askSlowly(playground);
    await playground.page.reload();
    await playground.turn.locator(".lane[data-status=streaming]").nth(2).waitFor();
    await playground.turn.getByRole("button", { name: "Stop", exact: true }).click();
    await playground.untilTurn("cancelled");
    assert.equal(server.troupe.stats().turns, 0);
  });

  it("says that the server no longer knows a request, and stays disconnected if it was", async () => {
    await using server = await startTroupe();
    await using context = await openContext();
    const playground = await openPlayground(context, server.httpUrl);
    const { page, status } = playground;
    await askSlowly(playground);
    await page.getByRole("button", { name: "Disconnect" }).click();
    await page.reload();
    await status.getByText("Not connected. Nothing runs. 1 request is not followed.").waitFor();
    assert.equal(await playground.turn.locator(".question").innerText(), "What do you think about AI?");
    assert.equal(await playground.turn.getByRole("button", { name: "Stop", exact: true }).isVisible(), false);
    const stored = "sessionStorage['troupe-page']";
    await page.evaluate(`${stored} = ${stored}.replace(/"id":"[^"]*"/, '"id":"forgotten"')`);
    await page.reload();
    await page.getByRole("button", { name: "Connect" }).click();
    await playground.turn.getByText("(request_not_found)").waitFor();
  });

  it("needs the key again, which it does not keep, and then shows the answer", async () => {
    await using server = await startTroupe({ apiKeys: [{ owner: "ada", key }] });
    await using context = await openContext();
    const playground = await openPlayground(context, server.httpUrl);
    const { page, status } = playground;
    await page.locator("#token").fill(key);
    await askSlowly(playground);
    await page.reload();
    assert.doesNotMatch(
      await page.evaluate("JSON.stringify(sessionStorage) + JSON.stringify(localStorage)"),
      /ada-0123/,
    );
    await status.getByText("Not connected.").waitFor();
    await page.locator("#token").fill(key);
    await page.getByRole("button", { name: "Connect" }).click();
    await playground.untilTurn("completed");
    assert.deepEqual(await playground.texts(), answersOf(playground));
  });

  it("works without storage, and knows nothing then", async () => {
    await using server = await startTroupe();
    await using context = await openContext();
    await context.addInitScript(`
      for (const name of ["sessionStorage", "localStorage"])
        Object.defineProperty(window, name, { get() { throw new DOMException("refused", "SecurityError"); } });
    `);
    const playground = await openPlayground(context, server.httpUrl);
    await playground.fill("pacing.mode", "raw");
    await playground.send();
    await playground.untilTurn("completed");
    await playground.page.reload();
    await playground.status.getByText("Not connected. Nothing runs.").waitFor();
    assert.equal(await playground.page.locator(".turn").count(), 0);
    assert.deepEqual(playground.faults, []);
  });
});

describe("a page that disconnects", withBrowser, () => {
  it("calls a running request not followed, and not failed; connected again it goes on", async () => {
    await using server = await startTroupe();
    await using context = await openContext();
    const playground = await openPlayground(context, server.httpUrl);
    const { page, status } = playground;
    await askSlowly(playground);
    await page.getByRole("button", { name: "Disconnect" }).click();
    await status.getByText("Not connected. Nothing runs. 1 request is not followed.").waitFor();
    assert.equal(await playground.turn.getAttribute("data-standstill"), "not followed");
    assert.equal(await playground.turn.getByText("failed").count(), 0);
    for (const lane of await playground.turn.locator(".lane").all())
      assert.equal(await lane.locator(".reserved").innerText(), "not followed");
    // The focus is on the button that undoes it.
    assert.equal(await page.locator("#connect:focus").count(), 1);
    await page.keyboard.press("Enter");
    await status.getByText("1 request runs: multi_chat.").waitFor();
    assert.equal(await page.locator("#disconnect:focus").count(), 1);
    await playground.untilTurn("completed");
    assert.deepEqual(await playground.texts(), answersOf(playground));
    assert.equal(playground.sent.filter(({ type }) => type === "resume").length, 1);
  });

  it("picks up its requests with another key of the same caller", async () => {
    const other = "ada-another-0123456789";
    await using server = await startTroupe({
      apiKeys: [
        { owner: "ada", key },
        { owner: "ada", key: other },
      ],
    });
    await using context = await openContext();
    const playground = await openPlayground(context, server.httpUrl);
    const { page } = playground;
    await page.locator("#token").fill(key);
    await askSlowly(playground);
    await page.getByRole("button", { name: "Disconnect" }).click();
    await page.locator("#token").fill(other);
    await page.getByRole("button", { name: "Connect" }).click();
    await playground.untilTurn("completed");
    assert.deepEqual(await playground.texts(), answersOf(playground));
  });
});

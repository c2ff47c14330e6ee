import assert from "node:assert/strict";
import path from "node:path";
import { after, describe, it } from "node:test";
import type { Locator } from "playwright-core";
import { startTroupe } from "../support/start-troupe.ts";
import { closeBrowser, openContext, withBrowser } from "./page/browser.ts";
import { openPlayground } from "./page/playground.ts";
import { startServerProcess } from "./page/server-process.ts";

after(closeBrowser);

const plainCopy = `file://${path.resolve(import.meta.dirname, "../../backend/websocket_test.html")}`;
const windows = [
  { width: 390, height: 844 },
  { width: 1280, height: 800 },
] as const;

/** Checks that a reader sees the whole element: it is in the window and uncovered. */
async function assertInView(target: Locator): Promise<void> {
  const covered = await target.evaluate((element) => {
    const { left, right, top, bottom } = element.getBoundingClientRect();
    const { innerWidth, innerHeight } = element.ownerDocument.defaultView ?? {
      innerWidth: 0,
      innerHeight: 0,
    };
    if (left < 0 || top < 0 || right > innerWidth || bottom > innerHeight)
      return `outside: ${top} to ${bottom}`;
    const corners = [
      [left + 1, top + 1],
      [right - 1, bottom - 1],
      [(left + right) / 2, (top + bottom) / 2],
    ] as const;
    const above = corners.map(([x, y]) => element.ownerDocument.elementFromPoint(x, y));
    const foreign = above.find((found) => !element.contains(found) && found?.contains(element) !== true);
    return foreign === undefined ? "" : `under <${foreign?.localName} class="${foreign?.className}">`;
  });
  assert.equal(covered, "");
}

describe("a page that cannot connect", withBrowser, () => {
  for (const viewport of windows) {
    it(`says the next step in view, from disk, ${viewport.width} wide, until it is connected`, async () => {
      await using server = await startServerProcess();
      await server.kill();
      await using context = await openContext({ viewport });
      const playground = await openPlayground(context, plainCopy);
      const { page, status } = playground;
      const step = page.locator("#next-step");
      const url = `${server.httpUrl.replace("http", "ws")}/ws`;
      await page.locator("#url").fill(url);
      await page.getByRole("button", { name: "Connect" }).click();
      await step.getByText("npm start").waitFor();
      await status.getByText(`No Troupe answers at ${url}.`).waitFor();
      await assertInView(step);
      await playground.assertReadable();
      await playground.screenshot(`step-no-server-${viewport.width}`);

      // Starts the server as the page says. It wants a token, and links to a page that needs none.
      await server.restart();
      const hasTried = step.getByText("This copy of the page has no token.").waitFor();
      // The page tries by itself as well, and may have done so before the button could be pressed.
      await Promise.race([hasTried, page.getByRole("button", { name: "Try now" }).click({ timeout: 0 })]);
      await hasTried;
      await assertInView(step);
      await playground.screenshot(`step-no-token-${viewport.width}`);
      await step.getByRole("link").click();
      await page.waitForURL(`${server.httpUrl}/`);
      await page.getByRole("button", { name: "Connect" }).click();
      await status.getByText("Connected to").waitFor();
      assert.equal(await step.isVisible(), false);
    });
  }

  it("says it in view also when a question is sent without connecting first", async () => {
    await using server = await startServerProcess();
    await using context = await openContext({ viewport: windows[0] });
    const playground = await openPlayground(context, plainCopy);
    const { page } = playground;
    const step = page.locator("#next-step");
    await page.locator("#url").fill(`${server.httpUrl.replace("http", "ws")}/ws`);
    await playground.send();
    await step.getByText("This copy of the page has no token.").waitFor();
    await assertInView(step);
    await server.kill();
    await playground.send();
    await step.getByText("npm start").waitFor();
    await assertInView(step);
  });

  it("reports an invalid address, and lets it be corrected while it tries", async () => {
    await using server = await startTroupe();
    await using context = await openContext();
    const playground = await openPlayground(context, server.httpUrl);
    const { page, status } = playground;
    const step = page.locator("#next-step");
    for (const [address, words] of [
      ["localhost:8000", "Correct the address."],
      ["ws://", "Correct the address."],
      ["ws://127.0.0.1:1023/ws", "Start Troupe"],
      [`${server.url}/elsewhere`, "Start Troupe"],
    ] as const) {
      await page.locator("#url").fill(address);
      await page.locator("#connect").click();
      await step.getByText(words).waitFor();
      await assertInView(step);
    }
    await page.locator("#url").fill(server.url);
    await page.locator("#connect").click();
    await status.getByText(`Connected to ${server.url}.`).waitFor();
    assert.equal(await step.isVisible(), false);
  });

  it("asks for the key that its server did not want before", async () => {
    const key = "ada-0123456789abcdef";
    await using server = await startServerProcess();
    await using context = await openContext();
    const playground = await openPlayground(context, server.httpUrl);
    const { page, status } = playground;
    assert.equal(await page.locator("#token").isVisible(), false);
    await page.locator("#connect").click();
    await status.getByText("Connected to").waitFor();
    await server.kill();
    await server.restart({ TROUPE_API_KEYS: `ada=${key}` });
    await page.locator("#connect").click();
    await page.locator("#next-step").getByText("Write a key").waitFor();
    await page.locator("#token").fill(key);
    await page.locator("#connect").click();
    await status.getByText("Connected to").waitFor();
  });
});

describe("a dead server", withBrowser, () => {
  it("shows on every lane, and nothing is counted as running that was never sent", async () => {
    await using server = await startServerProcess();
    await using context = await openContext({ viewport: windows[0] });
    const playground = await openPlayground(context, server.httpUrl);
    const { page, status } = playground;
    await playground.choose("multi_chat");
    for (const box of await page.locator("input[name=persona]").all()) await box.check();
    await playground.fill("pacing.mode", "fixed");
    await playground.fill("pacing.interval_ms", "10000");
    await playground.send();
    const lanes = playground.turn.locator(".lane");
    await playground.turn.locator(".lane[data-status=streaming]").nth(7).waitFor();
    assert.equal(await lanes.count(), 8);
    await server.kill();
    await playground.turn.getByText("no connection").nth(8).waitFor();
    for (const lane of await lanes.all()) await lane.getByText("no connection").waitFor();
    assert.match(await status.innerText(), /Nothing runs\. 1 request is not followed\./);

    await playground.fill("pacing.mode", "raw");
    await playground.send();
    await status.getByText("Nothing runs. 1 request waits to be sent. 1 request is not followed.").waitFor();
    assert.equal(await playground.turn.getByText("not sent yet").count(), 9);
    await playground.screenshot("step-dead-server");
    await server.restart();
    await page.locator("#connect").click();
    await playground.untilTurn("completed");
    // The running answers ended with their server.
    await page.locator(".turn").nth(1).getByText("(interrupted)").first().waitFor();
    assert.match(await status.innerText(), /Nothing runs\./);
    assert.doesNotMatch(await status.innerText(), /not followed|to be sent/);
  });

  it("takes back a question that was never sent when it is stopped", async () => {
    await using server = await startServerProcess();
    await using context = await openContext();
    const playground = await openPlayground(context, server.httpUrl);
    await server.kill();
    await playground.send();
    await playground.status.getByText("1 request waits to be sent.").waitFor();
    await playground.turn.getByRole("button", { name: "Stop", exact: true }).click();
    await playground.untilTurn("cancelled");
    assert.doesNotMatch(await playground.turn.innerText(), /failed/);
    await playground.status.getByText("Nothing runs.", { exact: true }).waitFor();
  });
});

describe("eight lanes", withBrowser, () => {
  for (const viewport of windows) {
    it(`leave the question and Stop in view, ${viewport.width} wide, and keep the focus nearby`, async () => {
      await using server = await startTroupe();
      await using context = await openContext({ viewport });
      const playground = await openPlayground(context, server.httpUrl);
      const { page, turn } = playground;
      await playground.choose("multi_chat");
      for (const box of await page.locator("input[name=persona]").all()) await box.check();
      await playground.fill("pacing.mode", "fixed");
      await playground.fill("pacing.interval_ms", "10000");
      const stop = turn.getByRole("button", { name: "Stop", exact: true });
      const question = turn.locator(".question");
      for (let asked = 0; asked < 2; asked += 1) {
        await playground.send();
        await turn.locator(".lane[data-status=streaming]").nth(7).waitFor();
        await assertInView(question);
        await assertInView(stop);
        await playground.screenshot(`lanes-${viewport.width}-${asked}`);
      }
      // With the keyboard, from below: the bar must not cover the element with the focus.
      const lane = turn.locator(".lane").nth(5);
      await lane.locator(".lane-body").focus();
      await page.keyboard.press("Shift+Tab");
      await assertInView(lane.getByRole("button"));
      await page.keyboard.press("Enter");
      await turn.locator(".lane[data-status=cancelled]").waitFor();
      await lane.locator(".lane-body:focus").waitFor();

      await stop.focus();
      await assertInView(stop);
      await page.keyboard.press("Enter");
      await playground.untilTurn("cancelled");
      await turn.locator(".question:focus").waitFor();

      await page.getByRole("button", { name: "Stop all" }).focus();
      await page.keyboard.press("Enter");
      await page.locator("#field-message:focus").waitFor();
      await playground.assertReadable();
    });
  }

  it("keep the focus when an answer ends by itself under it", async () => {
    await using server = await startTroupe();
    await using context = await openContext();
    const playground = await openPlayground(context, server.httpUrl);
    await playground.send();
    await playground.untilText(10);
    await playground.turn.getByRole("button", { name: "Stop", exact: true }).focus();
    await playground.untilTurn("completed");
    await playground.turn.locator(".question:focus").waitFor();
  });
});

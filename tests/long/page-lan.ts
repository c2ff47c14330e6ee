import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { startTroupe } from "../support/start-troupe.ts";
import { closeBrowser, lanName, openContext, withBrowser } from "./page/browser.ts";
import { openPlayground } from "./page/playground.ts";

after(closeBrowser);

const key = "ada-0123456789abcdef";
const callers = [
  { name: "without keys", token: undefined, options: { allowAnonymous: true } },
  { name: "with a key", token: key, options: { apiKeys: [{ owner: "ada", key }] } },
];

describe("the page on plain HTTP under a name of the local network", withBrowser, () => {
  for (const { name, token, options } of callers) {
    it(`streams, resumes, stops and copies ${name}`, async () => {
      await using server = await startTroupe({ ...options, allowedHosts: [lanName] });
      await using context = await openContext();
      const playground = await openPlayground(context, server.httpUrl.replace("127.0.0.1", lanName));
      const { page, status } = playground;
      // The point of this test: such a page lacks `crypto.randomUUID`, `crypto.subtle` and the clipboard.
      assert.deepEqual(
        await page.evaluate("[isSecureContext, typeof crypto.randomUUID, typeof navigator.clipboard]"),
        [false, "undefined", "undefined"],
      );
      if (token !== undefined) await page.locator("#token").fill(token);
      const socketUrl = server.url.replace("127.0.0.1", lanName);
      assert.equal(await page.locator("#url").inputValue(), socketUrl);

      await playground.choose("multi_chat");
      await playground.send();
      await playground.untilText(60);
      await status.getByText(`Connected to ${socketUrl}.`).waitFor();
      await page.getByRole("button", { name: "Drop the connection" }).click();
      await playground.untilTurn("completed");
      assert.deepEqual(
        playground.sent.map(({ type }) => type),
        ["multi_chat", "resume"],
      );
      const final = playground.received.findLast((message) => message.type === "response");
      assert.ok(final !== undefined && "responses" in final.data && Array.isArray(final.data.responses));
      assert.deepEqual(
        await playground.texts(),
        final.data.responses.map(({ response }: { response: string }) => response),
      );

      await playground.fill("pacing.mode", "fixed");
      await playground.fill("pacing.interval_ms", "10000");
      await playground.send();
      await playground.turn.locator(".lane[data-status=streaming]").nth(2).waitFor();
      await playground.turn.getByRole("button", { name: "Stop", exact: true }).click();
      await playground.untilTurn("cancelled");

      const copy = page.locator("#frames-copy");
      await copy.click();
      await copy.getByText("Copied").waitFor();
      assert.equal(await page.locator("#frames-copy:focus").count(), 1);
      await page.locator("#field-message").press("Control+a");
      await page.locator("#field-message").press("Control+v");
      const lines = (await page.locator("#field-message").inputValue()).split("\n");
      assert.ok(lines.at(-1)?.endsWith(JSON.stringify(playground.received.at(-1))));
      assert.deepEqual(playground.faults, []);
      await playground.screenshot(`lan-${token === undefined ? "anonymous" : "key"}`);
    });
  }
});

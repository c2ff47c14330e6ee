import assert from "node:assert/strict";
import path from "node:path";
import { after, describe, it } from "node:test";
import { startTroupe } from "../support/start-troupe.ts";
import { closeBrowser, openContext, withBrowser } from "./page/browser.ts";
import { openPlayground } from "./page/playground.ts";
import { startServerProcess } from "./page/server-process.ts";

after(closeBrowser);

const plainCopy = `file://${path.resolve(import.meta.dirname, "../../backend/websocket_test.html")}`;

describe("the page, opened from disk", withBrowser, () => {
  it("works at once as the ready copy that the server writes", async () => {
    await using server = await startServerProcess();
    await using context = await openContext();
    const playground = await openPlayground(context, server.diskPageUrl);
    const { page, status } = playground;
    assert.match(await page.locator("#token").inputValue(), /^[0-9a-f]{32}$/);
    await playground.fill("pacing.mode", "raw");
    await playground.send();
    await playground.untilTurn("completed");
    assert.match(await status.innerText(), /Connected to ws:\/\/localhost:\d+\/ws\./);
    assert.deepEqual(playground.faults, []);
  });

  it("asks for the token as a plain copy, and reports the failing connection without it", async () => {
    await using server = await startTroupe({ pageToken: "0123456789abcdef0123456789abcdef" });
    await using context = await openContext();
    const playground = await openPlayground(context, plainCopy);
    const { page, status } = playground;
    assert.equal(await page.locator("#url").inputValue(), "ws://localhost:8000/ws");
    assert.equal(await page.locator("#token").inputValue(), "");
    await page.getByText("the server prints the path of a ready copy").waitFor();
    assert.deepEqual(
      await page
        .locator("input[name=persona]")
        .evaluateAll((inputs) => inputs.map((input) => input.getAttribute("value"))),
      ["tech_enthusiast", "creative_writer", "data_scientist"],
    );

    await page.locator("#url").fill(server.url);
    await page.getByRole("button", { name: "Connect" }).click();
    await status.getByText("A page with the origin null needs a key, or the token").waitFor();
    await page.locator("#token").fill("0123456789abcdef0123456789abcdef");
    await page.getByRole("button", { name: "Connect" }).click();
    await status.getByText(`Connected to ${server.url}.`).waitFor();
  });
});

describe("a server that dies", withBrowser, () => {
  it("is missed in words, and found again when it is back", async () => {
    await using server = await startServerProcess();
    await using context = await openContext();
    const playground = await openPlayground(context, server.httpUrl);
    const { page, status } = playground;
    await playground.send();
    await playground.turn.locator(".lane[data-status=streaming]").waitFor();
    await playground.untilText(20);
    const [shown = ""] = await playground.texts();
    await server.kill();
    await status.getByText("Connection lost (code 1006). Trying again soon.").waitFor();
    await status.getByText("Is the server running").waitFor();
    await server.restart();
    await page.getByRole("button", { name: "Try now" }).click();
    await status.getByText("Connected to").waitFor();

    // The answer ended with its server. The text shown so far stays.
    await playground.untilTurn("failed");
    assert.match(await playground.turn.innerText(), /\(interrupted\)/);
    const [text = ""] = await playground.texts();
    assert.ok(text.startsWith(shown) && shown.length > 0, `${shown} / ${text}`);
    await playground.fill("pacing.mode", "raw");
    await playground.send();
    await playground.untilTurn("completed");
  });
});

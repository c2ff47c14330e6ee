import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { startTroupe } from "../support/start-troupe.ts";
import { closeBrowser, openContext, withBrowser } from "./page/browser.ts";
import { openPlayground } from "./page/playground.ts";

after(closeBrowser);

const windows = [
  { width: 390, height: 844 },
  { width: 1440, height: 900 },
] as const;

describe("the page can be read", withBrowser, () => {
  for (const viewport of windows) {
    for (const colorScheme of ["light", "dark"] as const) {
      it(`${viewport.width} wide, ${colorScheme}`, async () => {
        await using server = await startTroupe();
        await using context = await openContext({ viewport, colorScheme });
        const playground = await openPlayground(context, server.httpUrl);
        const { page } = playground;
        const name = `${viewport.width}-${colorScheme}`;
        await playground.assertReadable();
        await playground.screenshot(`${name}-first`);

        await playground.choose("multi_chat");
        await playground.send();
        await playground.turn.locator(".lane[data-status=streaming]").nth(2).waitFor();
        await playground.assertReadable();
        await playground.untilText(150);
        await playground.screenshot(`${name}-streaming`);
        await playground.untilTurn("completed");
        await playground.assertReadable();

        await playground.choose("openai_chat");
        await page.getByText("Model and limits").click();
        await page.getByText("Conversation", { exact: true }).click();
        await page.getByText("Advanced").click();
        await page.getByLabel("Stream a summary of the reasoning").check();
        await playground.fill("tools", '[{"type": "web_search"}]');
        await playground.send();
        await playground.untilTurn("completed");
        await playground.fill("options", '{"misspelt": "instructions"}');
        await playground.send();
        await page.locator("#field-options-problem").getByText("misspelt").waitFor();
        await playground.assertReadable();
        await playground.screenshot(`${name}-error`);
        await playground.turn.scrollIntoViewIfNeeded();
        await playground.screenshot(`${name}-answers`);
        assert.deepEqual(playground.faults, []);
      });
    }
  }

  it("in the theme that its button chooses, independent of the system's", async () => {
    await using server = await startTroupe();
    await using context = await openContext({ colorScheme: "light" });
    const playground = await openPlayground(context, server.httpUrl);
    const { page } = playground;
    const background = () =>
      page.evaluate<string>("getComputedStyle(document.documentElement).backgroundColor");
    const light = await background();
    const theme = page.getByRole("button", { name: "Theme" });
    await theme.click();
    assert.equal(await background(), light);
    await theme.click();
    const dark = await background();
    assert.notEqual(dark, light);
    await playground.assertReadable();
    await page.reload();
    assert.equal(await background(), dark);
  });
});

describe("while text grows", withBrowser, () => {
  it("nothing around it moves, and the status line is not rewritten", async () => {
    await using server = await startTroupe();
    await using context = await openContext({ viewport: { width: 1440, height: 900 } });
    const playground = await openPlayground(context, server.httpUrl);
    const { page } = playground;
    await playground.choose("multi_chat");
    await playground.send();
    await playground.turn.locator(".lane[data-status=streaming]").nth(2).waitFor();
    await page.evaluate(`
      window.statusChanges = 0;
      new MutationObserver(() => { window.statusChanges += 1; })
        .observe(document.querySelector("#status"), { childList: true, characterData: true, subtree: true });
    `);
    const places = () =>
      Promise.all(
        ["#frames-title", ".lane-body", "#stop-all"].map((of) => page.locator(of).first().boundingBox()),
      );
    const before = await places();
    await playground.untilText(300);
    assert.deepEqual(await places(), before);
    assert.equal(await page.evaluate("window.statusChanges"), 0);
    await playground.untilTurn("completed");
    assert.deepEqual(await places(), before);
  });

  it("it is followed to its end, unless the reader has scrolled away", async () => {
    await using server = await startTroupe();
    await using context = await openContext({ viewport: { width: 1440, height: 900 } });
    const playground = await openPlayground(context, server.httpUrl);
    const { page } = playground;
    await playground.choose("multi_chat");
    await playground.send();
    const bodies = playground.turn.locator(".lane-body");
    // A window so low that the text soon needs scrolling.
    await page.evaluate(
      "for (const body of document.querySelectorAll('.lane-body')) body.style.height = '80px'",
    );
    await playground.untilText(250);
    await bodies.first().hover();
    // Text that grows meanwhile can cut a turn of the wheel short. A reader turns it until the start is visible.
    const fromTop = () => bodies.first().evaluate((element) => element.scrollTop);
    do await page.mouse.wheel(0, -5000);
    while ((await fromTop()) > 0);
    await playground.untilTurn("completed");
    const fromEnd = await bodies.evaluateAll((elements) =>
      elements.map(({ scrollTop, scrollHeight, clientHeight }) => ({
        scrollTop,
        left: scrollHeight - scrollTop - clientHeight,
      })),
    );
    assert.equal(fromEnd[0]?.scrollTop, 0);
    assert.ok((fromEnd[1]?.left ?? 99) < 2 && (fromEnd[2]?.left ?? 99) < 2, JSON.stringify(fromEnd));
  });
});

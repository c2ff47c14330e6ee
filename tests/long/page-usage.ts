import assert from "node:assert/strict";
import { after, it } from "node:test";
import { startTroupe } from "../support/start-troupe.ts";
import { closeBrowser, openContext, withBrowser } from "./page/browser.ts";
import { openPlayground } from "./page/playground.ts";

after(closeBrowser);

it("a lane tells its tokens while it speaks, if they are asked for", withBrowser, async () => {
  await using server = await startTroupe({ localProviders: [] });
  await using context = await openContext({ viewport: { width: 390, height: 844 } });
  const playground = await openPlayground(context, server.httpUrl);
  await playground.choose("multi_chat");
  // Opens the section of both fields.
  await playground.fill("api", "");
  await playground.page.getByLabel("Count the tokens while it answers").check();
  await playground.send();
  const lane = playground.turn.locator(".lane > .hint").first();
  await lane.filter({ hasText: /^speaking · about \d+ tokens?$/ }).waitFor();
  await playground.assertReadable();
  await playground.screenshot("running-usage");
  await playground.untilTurn("completed");
  assert.match((await lane.textContent()) ?? "", /^done · (about )?\d+ tokens/);
  assert.equal(playground.sent.at(-1)?.data?.include_usage, true);
  assert.deepEqual(playground.faults, []);
});

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { chunk, done, finish } from "../adapters/chat-completions/chat-setup.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { startFourApis } from "../server/four-apis.ts";
import { closeBrowser, openContext, withBrowser } from "./page/browser.ts";
import { openPlayground } from "./page/playground.ts";

after(closeBrowser);

const oslo = { url: "https://a.example/oslo?day=1&hour=2", title: '<img src=x onerror="alert(1)"> Oslo' };
const rome = { url: `http://b.example/rome/${"day-of-rain".repeat(20)}` };

describe("the sources of an answer", withBrowser, () => {
  it("are links below it if they are asked for, also after the page was loaded again", async () => {
    await using stage = await startFourApis();
    const around = { citations: [oslo.url, rome.url, "javascript:alert(1)"], search_results: [oslo] };
    const text = chunk({ content: "Rain[1], sun[2]." }, {}, around);
    stage.upstreams.llama.respond(streamScript([text, finish("stop"), done]));
    await using context = await openContext({ viewport: { width: 390, height: 844 } });
    const playground = await openPlayground(context, stage.server.httpUrl);
    const { page, turn } = playground;
    await playground.choose("openai_chat");
    await playground.fill("api", "llama");
    await page.getByLabel("Show the sources of the answer").check();
    await playground.send();
    await playground.untilTurn("completed");
    assert.equal(playground.sent.at(-1)?.data?.include_sources, true);

    const links = turn.locator(".lane-body a");
    const shown = () =>
      links.evaluateAll((all) =>
        all.map((one) => [one.getAttribute("href"), one.textContent, one.getAttribute("rel")]),
      );
    const rel = "noopener noreferrer";
    const expected = [
      [oslo.url, oslo.title, rel],
      [rome.url, rome.url, rel],
    ];
    assert.deepEqual(await shown(), expected);
    assert.equal(await turn.locator("summary").filter({ hasText: "2 sources" }).isVisible(), true);
    assert.equal(await page.locator("#turns img").count(), 0);
    await playground.assertReadable();
    await playground.screenshot("sources");

    await page.reload();
    await links.nth(1).waitFor();
    assert.deepEqual(await shown(), expected);
    assert.deepEqual(playground.faults, []);
  });

  it("are left out otherwise", async () => {
    await using stage = await startFourApis();
    await using context = await openContext();
    const playground = await openPlayground(context, stage.server.httpUrl);
    await playground.send();
    await playground.untilTurn("completed");
    assert.equal(playground.sent.at(-1)?.data?.include_sources, undefined);
    assert.equal(await playground.turn.locator(".lane-body a").count(), 0);
    assert.equal(await playground.turn.locator("summary").filter({ hasText: "source" }).isVisible(), false);
  });
});

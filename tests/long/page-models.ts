import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { createModelServer, listing } from "../doubles/model-server.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { closeBrowser, openContext, withBrowser } from "./page/browser.ts";
import { openPlayground } from "./page/playground.ts";

after(closeBrowser);

describe("the page suggests the endpoints and models of its server", withBrowser, () => {
  const key = "0123456789abcdef";

  for (const needsKey of [false, true])
    it(needsKey ? "once the caller's key was accepted" : "when their section is opened", async () => {
      await using house = await createUpstreamDouble({ models: ["house-1", "house-2"] });
      await using strict = await createModelServer({
        list(response) {
          response.statusCode = 401;
          response.end("{}");
        },
      });
      await using other = await createModelServer({ list: listing("other-1") });
      const kind = "responses";
      const providers = {
        house: { kind, baseUrl: house.baseUrl },
        strict: { kind, baseUrl: strict.baseUrl },
        other: { kind, baseUrl: other.baseUrl },
      } as const;
      const apiKeys = needsKey ? [{ owner: "ada", key }] : [];
      await using server = await startTroupe({ configuration: { providers }, apiKeys });
      await using context = await openContext({ viewport: { width: 1440, height: 900 } });
      const playground = await openPlayground(context, server.httpUrl);
      const { page } = playground;
      const values = (id: string) =>
        page
          .locator(`#${id} option`)
          .evaluateAll((options) => options.map((one) => one.getAttribute("value")));
      const note = page.locator("#models-note");

      await page.getByText("Model and limits").click();
      if (needsKey) {
        assert.equal(await note.isVisible(), false);
        await page.locator("#token").fill(key);
        await page.getByRole("button", { name: "Connect", exact: true }).click();
      }
      await note.waitFor();
      assert.equal(
        await note.textContent(),
        "Without a choice, house answers with house-1. strict refuses the key (status 401).",
      );
      assert.deepEqual(await values("apis"), ["house", "strict", "other"]);
      assert.deepEqual(await values("models"), ["house-1", "house-2", "other-1"]);
      await playground.fill("api", "other");
      assert.deepEqual(await values("models"), ["other-1"]);
      await playground.fill("api", "house");
      await playground.fill("model", "house-2");
      await playground.assertReadable();
      await playground.screenshot(needsKey ? "models-with-key" : "models");
      await playground.send();
      await playground.untilTurn("completed");
      const [call] = house.requests;
      assert.equal((call?.body as { model?: string } | undefined)?.model, "house-2");
      assert.deepEqual(playground.faults, []);
    });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startTroupe } from "../support/start-troupe.ts";
import { lanName } from "./page/browser.ts";
import { startFirefox, withFirefox } from "./page/firefox.ts";

const newest = "document.querySelector('#turns > .turn')";
const click = (selector: string) => `document.querySelector(${JSON.stringify(selector)}).click()`;
const fill = (field: string, value: string) =>
  `document.querySelector('#field-${field}').value = ${JSON.stringify(value)}`;
const hasText = (chars: number) =>
  `[...${newest}.querySelectorAll('.lane-body > .prose')].some((text) => text.textContent.length >= ${chars})`;
const isNow = (status: string) => `${newest}.dataset.status === ${JSON.stringify(status)}`;

describe("the page in Firefox", withFirefox, () => {
  for (const host of ["127.0.0.1", lanName]) {
    it(`streams, resumes, is loaded again and stops on http://${host}`, async () => {
      await using server = await startTroupe({ allowedHosts: [lanName], allowAnonymous: true });
      await using tab = await startFirefox();
      await tab.open(server.httpUrl.replace("127.0.0.1", host));
      assert.equal(
        await tab.evaluate("typeof crypto.randomUUID"),
        host === lanName ? "undefined" : "function",
      );
      await tab.evaluate(click("input[value=multi_chat]"));
      await tab.evaluate(fill("pacing-mode", "fixed"));
      await tab.evaluate(fill("pacing-chunk_chars", "12"));
      await tab.evaluate(click("#request [type=submit]"));
      await tab.until(hasText(40));
      await tab.evaluate(click("#drop"));
      await tab.until("document.querySelector('#status').dataset.state !== 'open'");
      await tab.until("document.querySelector('#status').dataset.state === 'open'");
      await tab.until(hasText(80));

      await tab.reload();
      await tab.until(`${newest} !== null && ${isNow("running")} && ${hasText(120)}`);
      await tab.until(isNow("completed"));
      const texts = await tab.evaluate(
        `[...${newest}.querySelectorAll('.lane-body > .prose')].map((text) => text.textContent)`,
      );
      const frames = "[...document.querySelectorAll('#frames code')].map((code) => code.textContent)";
      const resumes = await tab.evaluate(
        `${frames}.filter((text) => text.startsWith('{"type":"resume"')).length`,
      );
      assert.equal(resumes, 1);
      assert.ok(Array.isArray(texts) && texts.length === 3 && texts.every((text) => text.length > 120));

      await tab.evaluate(fill("pacing-interval_ms", "10000"));
      await tab.evaluate(fill("pacing-mode", "fixed"));
      await tab.evaluate(click("#request [type=submit]"));
      await tab.until(`${newest}.querySelectorAll('.lane[data-status=streaming]').length > 0`);
      await tab.evaluate(`${newest}.querySelector('button.stop').focus()`);
      await tab.evaluate(`${newest}.querySelector('button.stop').click()`);
      await tab.until(isNow("cancelled"));
      assert.equal(await tab.evaluate("document.activeElement.className"), "question");
      assert.deepEqual(tab.faults, []);
    });
  }
});

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { closeBrowser, openContext, withBrowser } from "./page/browser.ts";
import { openPlayground } from "./page/playground.ts";
import { type NginxDifference, withNginx } from "./proxy/nginx.ts";
import { ada, anonymous, keys, runPython, startBoth } from "./proxy/start-both.ts";
import { withPython } from "./python/python-client.ts";

/** The documented nginx, and usual variations of it. */
const ways: readonly (NginxDifference & { readonly name: string })[] = [
  { name: "as documented, with TLS" },
  { name: "without TLS", tls: false },
  { name: "two folders deep", folder: "/apps/troupe/" },
  { name: "in no folder", folder: "/" },
];

describe("the Python client through nginx", { skip: withNginx.skip || withPython.skip }, () => {
  for (const { name, ...difference } of ways) {
    it(`finds the socket ${name}`, async () => {
      await using both = await startBoth(keys, difference);
      const { code, stdout, stderr } = await runPython(both.proxy, { TROUPE_KEY: ada });
      assert.deepEqual([code, stdout.length > 0], [0, true], stderr);
    });
  }
});

describe("the page through nginx", { skip: withNginx.skip || withBrowser.skip }, () => {
  after(closeBrowser);
  const options = { ignoreHTTPSErrors: true };

  for (const { name, ...difference } of ways) {
    it(`streams, resumes, goes on after a reload and stops ${name}`, async () => {
      await using both = await startBoth(anonymous, difference);
      await using context = await openContext(options);
      // Works without the slash as well: nginx sends the browser to the folder.
      const playground = await openPlayground(context, both.proxy.pageUrl.replace(/(?<=\w)\/$/, ""));
      const { page, status } = playground;
      assert.equal(page.url(), both.proxy.pageUrl);
      await playground.fill("pacing.mode", "fixed");
      await playground.fill("pacing.chunk_chars", "10");
      await playground.send();
      await playground.untilText(20);
      await status.getByText(`Connected to ${both.proxy.socketUrl}.`).waitFor();
      await page.getByRole("button", { name: "Drop the connection" }).click();
      await status.getByText("Connection lost").waitFor();
      await status.getByText("Connected to").waitFor();
      await page.reload();
      await playground.untilText(90);
      assert.deepEqual(
        playground.sent.map(({ type }) => type),
        ["chat", "resume", "resume"],
      );
      await playground.turn.getByRole("button", { name: "Stop", exact: true }).click();
      await playground.untilTurn("cancelled");
      assert.deepEqual(playground.faults, []);
    });
  }
});

import assert from "node:assert/strict";
import path from "node:path";
import { after, describe, it } from "node:test";
import { build } from "esbuild";
import { startTroupe } from "../support/start-troupe.ts";
import { closeBrowser, lanName, openContext, withBrowser } from "./page/browser.ts";

after(closeBrowser);

async function bundleApp(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path.join(import.meta.dirname, "page/react-app.js")],
    bundle: true,
    write: false,
    format: "iife",
    globalName: "app",
    conditions: ["troupe-source"],
    define: { "process.env.NODE_ENV": '"development"' },
  });
  return outputFiles[0]?.text ?? "";
}

const places = [
  { host: "127.0.0.1", isSecure: true, options: {} },
  { host: lanName, isSecure: false, options: { allowedHosts: [lanName], allowAnonymous: true } },
];

describe("the React hooks, under StrictMode", withBrowser, () => {
  for (const { host, isSecure, options } of places)
    it(`connect once to ${host}, show an answer, stop one, and close when unmounted`, async () => {
      const script = await bundleApp();
      await using server = await startTroupe(options);
      const url = server.url.replace("127.0.0.1", host);
      await using context = await openContext();
      const page = await context.newPage();
      const faults: string[] = [];
      page.on("pageerror", (error) => faults.push(String(error)));
      page.on("console", (message) => {
        if (message.type() === "error") faults.push(message.text());
      });
      await page.route("**/favicon.ico", (route) => route.fulfill({ status: 204 }));
      // The hooks run on a page of the server's own origin, because no other may connect.
      await page.goto(`${server.httpUrl.replace("127.0.0.1", host)}/healthz`);
      assert.equal(await page.evaluate("isSecureContext"), isSecure);
      await page.evaluate(`${script}; app.mount(${JSON.stringify(url)})`);

      await page.locator("#state").getByText("open").waitFor();
      await page.locator("#plain-state").getByText(`open ${url}`).waitFor();
      await page.getByRole("button", { name: "Ask" }).click();
      await page.locator("article[data-status=completed]").waitFor();
      const texts = await page.locator("article p").allTextContents();
      assert.equal(texts.length, 2);
      for (const text of texts) assert.match(text, /scripted demonstration/);

      await page.getByRole("button", { name: "Ask" }).click();
      await page.locator("article").nth(1).getByRole("button", { name: "Stop" }).click();
      await page.locator("article[data-status=cancelled]").waitFor();

      await page.getByRole("button", { name: "Ping" }).click();
      await page.locator("#plain-messages").getByText('[{"type":"pong","id":"from-react"}]').waitFor();

      // The two sockets that StrictMode's first mount opened for each hook are closed.
      assert.equal(server.troupe.stats().connections, 2);
      await page.getByRole("button", { name: "Toggle" }).click();
      await page.locator("#state").waitFor({ state: "detached" });
      while (server.troupe.stats().connections > 0) await new Promise((resolve) => setImmediate(resolve));

      await page.getByRole("button", { name: "Toggle" }).click();
      await page.locator("#state").getByText("open").waitFor();
      assert.deepEqual(faults, []);
    });
});

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { build } from "esbuild";
import { readSnippets } from "../../scripts/snippets.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { closeBrowser, openContext, withBrowser } from "./page/browser.ts";

after(closeBrowser);

const specified = "ws://localhost:8000/ws";

/** Bundles README.md's component as its own page, with `url` in place of the documented address. */
async function bundleSnippet(url: string): Promise<string> {
  const code = readSnippets("README.md").find(({ name }) => name === "react")?.code ?? "";
  assert.ok(code.includes(specified), "the snippet names the specified address");
  const mount = `
    import { createElement } from "react";
    import { createRoot } from "react-dom/client";
    createRoot(document.body).render(createElement(Chat));`;
  const { outputFiles } = await build({
    stdin: {
      contents: code.replaceAll(specified, url) + mount,
      loader: "tsx",
      resolveDir: import.meta.dirname,
    },
    bundle: true,
    write: false,
    format: "iife",
    jsx: "automatic",
    conditions: ["troupe-source"],
    define: { "process.env.NODE_ENV": '"development"' },
  });
  return outputFiles[0]?.text ?? "";
}

describe("the React component of README.md", withBrowser, () => {
  it("sends, shows the answer growing, and stops one", async () => {
    await using server = await startTroupe();
    await using context = await openContext();
    const page = await context.newPage();
    await page.goto(`${server.httpUrl}/healthz`);
    await page.evaluate(await bundleSnippet(server.url));

    await page.getByLabel("Message").fill("Which language next?");
    await page.getByRole("button", { name: "Send" }).click();
    const answer = page.locator("section p").first();
    await answer.getByText("This is a scripted").waitFor();
    const early = (await answer.textContent()) ?? "";
    await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
    const whole = (await answer.textContent()) ?? "";
    assert.ok(whole.startsWith(early) && whole.length > early.length, "it grew");

    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
    const stopped = (await page.locator("section").nth(1).locator("p").first().textContent()) ?? "";
    assert.ok(stopped.length < whole.length, "it was stopped");
    assert.equal(await page.getByRole("alert").count(), 0);
  });
});

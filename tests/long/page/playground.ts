import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import type { BrowserContext, Locator, Page } from "playwright-core";
import type { ServerMessage } from "../../../src/protocol/server-messages.ts";

const inspection = readFileSync(path.join(import.meta.dirname, "inspect-layout.js"), "utf8");

/** The test page in a tab, with every frame that the browser itself saw. */
export interface Playground {
  readonly page: Page;
  readonly sent: readonly {
    readonly type: string;
    readonly id?: string;
    readonly data?: Record<string, unknown>;
  }[];
  readonly received: readonly ServerMessage[];
  /** Console errors, including errors thrown by the page and refusals by its policy. */
  readonly faults: readonly string[];
  /** The newest request on the page. */
  readonly turn: Locator;
  readonly status: Locator;
  choose(type: "chat" | "multi_chat" | "openai_chat"): Promise<void>;
  /** Fills a field, named by its path in `data`, and opens the sections around it. */
  fill(field: string, value: string): Promise<void>;
  send(): Promise<void>;
  /** Waits until a lane of the newest request shows `chars` characters. */
  untilText(chars: number): Promise<void>;
  /** Waits until the newest request is `status`, e.g. `completed`. */
  untilTurn(status: string): Promise<void>;
  /** Text shown in the lanes of the newest request, in order. */
  texts(): Promise<string[]>;
  assertReadable(): Promise<void>;
  screenshot(name: string): Promise<void>;
}

export async function openPlayground(context: BrowserContext, url: string): Promise<Playground> {
  const page = await context.newPage();
  const sent: Playground["sent"][number][] = [];
  const received: ServerMessage[] = [];
  const faults: string[] = [];
  page.on("websocket", (socket) => {
    socket.on("framesent", ({ payload }) => sent.push(JSON.parse(String(payload))));
    socket.on("framereceived", ({ payload }) => received.push(JSON.parse(String(payload))));
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(message.text());
  });
  await page.goto(url);
  const turn = page.locator("#turns > .turn").first();

  return {
    page,
    sent,
    received,
    faults,
    turn,
    status: page.locator("#status"),
    choose: (type) => page.locator(`input[name=type][value=${type}]`).check(),
    async fill(field, value) {
      const input = page.locator(`#field-${field.replaceAll(".", "-")}`);
      const folded = page.locator("details:not([open])").filter({ has: input });
      if ((await folded.count()) > 0) await folded.locator("> summary").click();
      const kind = await input.evaluate((element) => element.nodeName);
      await (kind === "SELECT" ? input.selectOption(value) : input.fill(value));
    },
    send: () => page.getByRole("button", { name: "Send" }).click(),
    untilText(chars) {
      const long = new RegExp(`^[\\s\\S]{${chars}}`);
      return turn.locator(".lane-body > .prose").filter({ hasText: long }).first().waitFor();
    },
    untilTurn: (status) => page.locator(`#turns > .turn:first-child[data-status=${status}]`).waitFor(),
    texts: () => turn.locator(".lane-body > .prose").allTextContents(),
    async assertReadable() {
      const { findings, texts } = await page.evaluate<{ findings: string[]; texts: number }>(inspection);
      assert.deepEqual(findings, []);
      assert.ok(texts > 20, `only ${texts} texts were looked at`);
    },
    async screenshot(name) {
      const file = path.resolve(import.meta.dirname, "../../../artifacts", `page-${name}.png`);
      await page.screenshot({ path: file });
    },
  };
}

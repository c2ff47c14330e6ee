import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium } from "playwright-core";

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => existsSync(path),
);

/** On CI a browser must be there. Elsewhere the tests are skipped without one. */
export const withBrowser = {
  skip: executablePath === undefined && process.env.CI !== "true" && "no Chromium in /usr/bin",
};

/** A name of the local network. A page of plain HTTP under it has no secure context. */
export const lanName = "troupe.lan";

const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // The names of the tests with a proxy and of those in a local network, resolved without a DNS server.
  `--host-resolver-rules=MAP chat.example.com 127.0.0.1,MAP ${lanName} 127.0.0.1`,
];

let launched: Promise<Browser> | undefined;

/** Opens a new profile in the one browser of this run. */
export async function openContext(
  options: Parameters<Browser["newContext"]>[0] = {},
): Promise<BrowserContext & AsyncDisposable> {
  if (executablePath === undefined) throw new Error("no Chromium in /usr/bin");
  launched ??= chromium.launch({ executablePath, args: flags });
  return (await launched).newContext(options);
}

export async function closeBrowser(): Promise<void> {
  await (await launched)?.close();
}

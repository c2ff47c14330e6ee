import path from "node:path";
import { writePrivate } from "./private-folder.ts";
import type { Settings } from "./settings.ts";
import type { Troupe } from "./troupe.ts";

/** Prints the addresses and the provider at the start, and the provider again if it changes. */
export class Announcement {
  readonly #settings: Settings;
  #announced: { readonly troupe: Troupe; readonly url: string } | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  async announce(troupe: Troupe, port: number): Promise<void> {
    const { host } = this.#settings;
    const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    this.#announced = { troupe, url: `ws://${address}/ws` };
    await this.#writeDiskPage();
    process.stdout.write(
      [
        `Troupe listens on ws://${address}/ws`,
        `  page      http://${address}/`,
        `  from disk ${this.#diskPage()}`,
        `  provider  ${troupe.providerSummary}`,
        "",
      ].join("\n"),
    );
  }

  /** For `TroupeOptions.onAnswering`. Prints only in a process that has printed its addresses. */
  readonly tellAnswering = (providerSummary: string): void => {
    if (this.#announced === undefined) return;
    process.stdout.write(`  provider  from now on ${providerSummary}\n`);
    this.#writeDiskPage().catch((error: unknown) => {
      process.stderr.write(
        `troupe: the page for opening from disk could not be written again: ${String(error)}\n`,
      );
    });
  };

  async #writeDiskPage(): Promise<void> {
    if (this.#announced === undefined) return;
    const { troupe, url } = this.#announced;
    await writePrivate(this.#diskPage(), await troupe.renderDiskPage(url));
  }

  #diskPage(): string {
    return path.resolve(this.#settings.data, "websocket_test.html");
  }
}

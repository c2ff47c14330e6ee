import { createHash } from "node:crypto";
import type { PublicPersona } from "../../ports/persona.ts";
import { readPageFile } from "./page-file.ts";

/** Information about the server for the page that it serves. */
export interface PageConfiguration {
  /** Address of the socket; absent if the page can derive it from its own address. */
  readonly url?: string;
  /** The socket's path as this server knows it; a proxy may serve it in a folder. */
  readonly path: string;
  /** Only for a copy that is opened from disk. */
  readonly token?: string;
  readonly personas: readonly PublicPersona[];
  /** No model is configured: every answer is a demonstration. */
  readonly simulated: boolean;
  readonly model: string | undefined;
  /** Callers need a key: the page asks for it. */
  readonly needsKey: boolean;
  /** Callers are identified by a secret of their own: the page makes one. */
  readonly makesSecret: boolean;
}

const configurationBlock = /(<script type="application\/json" id="troupe-config">)[^<]*(<\/script>)/;

/**
 * The test page with its configuration and a content security policy. The policy allows exactly the scripts and styles of the page, and
 * its socket. The socket's names behind a TLS proxy are listed, because not every browser counts `wss:` on its own host as `'self'`.
 */
export async function renderPage(
  configuration: PageConfiguration,
  servedNames: readonly string[],
): Promise<{ html: string; policy: string }> {
  const source = await readPageFile();
  const json = JSON.stringify(configuration).replaceAll("<", "\\u003c");
  const html = source.replace(configurationBlock, (_, open: string, close: string) => open + json + close);
  const policy = [
    "default-src 'none'",
    `script-src ${hashes(html, /<script>([\s\S]*?)<\/script>/g)}`,
    `style-src ${hashes(html, /<style>([\s\S]*?)<\/style>/g)}`,
    [
      "connect-src 'self' ws://localhost:* ws://127.0.0.1:* http://localhost:* http://127.0.0.1:*",
      ...servedNames.flatMap(secureSocketOf),
    ].join(" "),
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  return { html, policy };
}

/** The policy source for a name; an IPv6 address cannot be one. */
function secureSocketOf(name: string): string[] {
  return /^[\w.-]+(:\d+)?$/.test(name) ? [`wss://${name}`] : [];
}

function hashes(html: string, elements: RegExp): string {
  const found = [...html.matchAll(elements)].map(([, text = ""]) =>
    createHash("sha256").update(text).digest("base64"),
  );
  return found.length === 0 ? "'none'" : found.map((hash) => `'sha256-${hash}'`).join(" ");
}

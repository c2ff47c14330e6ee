import type { ConnectionState } from "../client/index.ts";
import { closeTable } from "../protocol/closes.ts";

/** The reader's next step while there is no connection. */
interface NextStep {
  readonly text: string;
  /** The server's own address of this page. */
  readonly link?: string;
}

interface Situation {
  readonly url: string;
  /** Whether this page was opened from disk. */
  readonly fromDisk: boolean;
  readonly token: string;
  /** Whether this server has answered before: then a single loss means little. */
  readonly wasOpen: boolean;
}

/** The next step of a page that cannot connect; `undefined` if it can, or if only waiting helps. */
export function nextStep(state: ConnectionState, situation: Situation): NextStep | undefined {
  const { url, fromDisk, token, wasOpen } = situation;
  if (state.name !== "waiting" && state.name !== "closed") return undefined;
  const { code, reason, error } = state.loss;
  if (state.name === "waiting") {
    const isSilent = reason === "" || code === closeTable.unresponsive.code;
    return isSilent && (state.attempt > 1 || !wasOpen) ? silence(url, fromDisk) : undefined;
  }
  switch (error?.code) {
    case "forbidden_origin":
      if (!fromDisk || token !== "")
        return open(url, "The server does not let this page in. Open its own page:");
      return open(
        url,
        "This copy of the page has no token. Open the page that the server shows itself, or paste the token above:",
      );
    case "unauthenticated":
      return { text: "Write a key that the server knows into “Token or key”, and connect again." };
    case undefined:
      return reason.startsWith("Cannot connect")
        ? { text: "Correct the address. It looks like ws://localhost:8000/ws." }
        : undefined;
    default:
      return { text: "The operator of the server decides this. Its log names the setting." };
  }
}

function silence(url: string, fromDisk: boolean): NextStep {
  const start =
    "Start Troupe: run “npm start” in its folder, and leave it running. This page then connects by itself.";
  const other = "If it runs at another address, correct the one above.";
  return fromDisk
    ? open(url, `${start} ${other} The server also shows this page itself:`)
    : { text: `${start} ${other}` };
}

function open(url: string, text: string): NextStep {
  const link = pageOf(url);
  return link === undefined ? { text } : { text, link };
}

/** The page of the server with this socket; `undefined` for an invalid address. */
export function pageOf(url: string): string | undefined {
  try {
    const page = new URL(".", url);
    page.protocol = page.protocol === "wss:" ? "https:" : "http:";
    return page.href;
  } catch {
    return undefined;
  }
}

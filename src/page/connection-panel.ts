import { createTroupeClient, type TroupeClient } from "../client/index.ts";
import { createDroppableSocket } from "./droppable-socket.ts";
import { byId, element } from "./elements.ts";
import { nextStep } from "./next-step.ts";
import { ownSecret } from "./own-secret.ts";
import type { PageConfig } from "./page-config.ts";
import type { PageMemory } from "./page-memory.ts";
import { withFocusKept } from "./with-focus-kept.ts";

interface ConnectionPanel {
  /** The current client; a new one if the last was closed, or if the address or the token has changed. */
  client(): TroupeClient;
  /** Connects again after a reload, if the page was connected before and still has the key or needs none. */
  restore(): void;
  readonly url: string;
  /** The key, or the caller's own secret; empty if there is none. */
  readonly token: string;
  readonly state: TroupeClient["state"];
  /** Whether the current client has had a connection. */
  readonly wasOpen: boolean;
}

interface ConnectionPanelOptions {
  readonly config: PageConfig;
  readonly memory: PageMemory;
  readonly onFrame: (direction: "out" | "in", text: string) => void;
  readonly onState: () => void;
  /** Called with each new client, before it connects. */
  readonly onClient: (server: string, client: TroupeClient) => void;
}

/** The server's address, and the buttons that make, end and break the connection to it. */
export function createConnectionPanel(options: ConnectionPanelOptions): ConnectionPanel {
  const { config, memory, onFrame, onState, onClient } = options;
  const form = byId("connection", HTMLFormElement);
  const url = byId("url", HTMLInputElement);
  const token = byId("token", HTMLInputElement);
  const tokenField = byId("token-field", HTMLElement);
  const connect = byId("connect", HTMLButtonElement);
  const disconnect = byId("disconnect", HTMLButtonElement);
  const drop = byId("drop", HTMLButtonElement);
  const step = byId("next-step", HTMLElement);
  const socket = createDroppableSocket();
  const before = memory.connection(config.url);
  let client: TroupeClient | undefined;
  let clientOf = "";
  let wasOpen = false;
  let shownStep = "";

  url.value = before?.server ?? config.url;
  token.value = config.makesSecret && config.token === "" ? ownSecret(() => localStorage) : config.token;
  tokenField.hidden = !config.fromDisk && !config.needsKey;
  byId("token-hint", HTMLElement).hidden = !config.fromDisk;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    present().connect();
  });
  disconnect.addEventListener("click", () => client?.disconnect());
  drop.addEventListener("click", () => socket.drop());
  // A device that is online again need not wait for the next attempt.
  addEventListener("online", () => client?.state.name === "waiting" && client.connect());

  function present(): TroupeClient {
    const [address, shownToken] = [url.value.trim(), token.value.trim()];
    const wanted = JSON.stringify([address, shownToken]);
    if (client !== undefined && client.state.name !== "closed" && clientOf === wanted) return client;
    client?.close();
    const made = createTroupeClient({
      url: address,
      protocols: shownToken === "" ? [] : ["troupe", `troupe.token.${shownToken}`],
      WebSocket: socket.WebSocket,
      onFrame,
    });
    client = made;
    clientOf = wanted;
    wasOpen = false;
    made.subscribe(() => client === made && showState());
    onClient(address, made);
    return made;
  }

  function showState(): void {
    const state = client?.state ?? { name: "idle" };
    const { name } = state;
    const isAway = name === "idle" || name === "closed";
    const isFixed = name === "connecting" || name === "open";
    const showButtons = () => {
      connect.textContent = name === "waiting" ? "Try now" : "Connect";
      connect.hidden = isFixed;
      disconnect.hidden = isAway;
      drop.hidden = name !== "open";
    };
    // A button that hides itself passes the focus to its replacement.
    const next = () => (disconnect.hidden ? connect : disconnect);
    withFocusKept(connect, next, () =>
      withFocusKept(disconnect, next, () => withFocusKept(drop, next, showButtons)),
    );
    url.readOnly = isFixed;
    token.readOnly = isFixed;
    if (state.name === "closed" && state.loss.error?.code === "unauthenticated") tokenField.hidden = false;
    wasOpen ||= name === "open";
    if (name === "open" || isAway) rememberConnection(name === "open");
    showStep(state);
    onState();
  }

  /** Only a working address is kept for a reload; any other is replaced by the page's own. */
  function rememberConnection(isOpen: boolean): void {
    const server = isOpen ? url.value.trim() : memory.connection(config.url)?.server;
    if (server !== undefined) memory.rememberConnection(config.url, server, isOpen);
  }

  /** Shows the next step below the Connect button and scrolls it into view, unless the reader is at an answer. */
  function showStep(state: TroupeClient["state"]): void {
    if (state.name === "connecting" && state.attempt > 0) return;
    const found = nextStep(state, {
      ...{ url: url.value.trim(), token: token.value.trim() },
      ...{ fromDisk: config.fromDisk, wasOpen },
    });
    const words = JSON.stringify(found ?? "");
    if (words === shownStep) return;
    shownStep = words;
    step.hidden = found === undefined;
    step.replaceChildren();
    if (found === undefined) return;
    step.append(found.text);
    if (found.link !== undefined) step.append(" ", element("a", { href: found.link }, found.link));
    const isAtConnection = document.activeElement === document.body || form.contains(document.activeElement);
    if (isAtConnection || !wasOpen) step.scrollIntoView({ block: "nearest" });
  }

  return {
    client: present,
    get wasOpen() {
      return wasOpen;
    },
    restore() {
      const canShowWhoAsks = token.value !== "" || (!config.needsKey && !config.fromDisk);
      if (before?.isConnected === true && canShowWhoAsks) present().connect();
    },
    get url() {
      return url.value.trim();
    },
    get token() {
      return token.value.trim();
    },
    get state() {
      return client?.state ?? { name: "idle" };
    },
  };
}

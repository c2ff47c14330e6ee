import { createTroupeClient, type TroupeClient } from "../client/index.ts";
import { createDroppableSocket } from "./droppable-socket.ts";
import { byId } from "./elements.ts";
import { ownSecret } from "./own-secret.ts";
import type { PageConfig } from "./page-config.ts";

export interface ConnectionPanel {
  /** The present client; a new one where the last was closed. */
  client(): TroupeClient;
  readonly url: string;
  readonly state: TroupeClient["state"];
}

interface ConnectionPanelOptions {
  readonly config: PageConfig;
  readonly onFrame: (direction: "out" | "in", text: string) => void;
  readonly onState: () => void;
}

/** Where the server is, and the buttons that make, end and break the connection to it. */
export function createConnectionPanel({ config, onFrame, onState }: ConnectionPanelOptions): ConnectionPanel {
  const form = byId("connection", HTMLFormElement);
  const url = byId("url", HTMLInputElement);
  const token = byId("token", HTMLInputElement);
  const connect = byId("connect", HTMLButtonElement);
  const disconnect = byId("disconnect", HTMLButtonElement);
  const drop = byId("drop", HTMLButtonElement);
  const socket = createDroppableSocket();
  let client: TroupeClient | undefined;

  url.value = config.url;
  token.value = config.makesSecret && config.token === "" ? ownSecret(() => localStorage) : config.token;
  byId("token-field", HTMLElement).hidden = !config.fromDisk && !config.needsKey;
  byId("token-hint", HTMLElement).hidden = config.needsKey;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    present().connect();
  });
  disconnect.addEventListener("click", () => client?.close());
  drop.addEventListener("click", () => socket.drop());
  // A device that is online again need not wait for the next attempt.
  addEventListener("online", () => client?.state.name === "waiting" && client.connect());

  function present(): TroupeClient {
    if (client !== undefined && client.state.name !== "closed") return client;
    const shownToken = token.value.trim();
    const made = createTroupeClient({
      url: url.value.trim(),
      protocols: shownToken === "" ? [] : ["troupe", `troupe.token.${shownToken}`],
      WebSocket: socket.WebSocket,
      onFrame,
    });
    client = made;
    made.subscribe(showState);
    return made;
  }

  function showState(): void {
    const name = client?.state.name ?? "idle";
    const away = name === "idle" || name === "closed";
    connect.hidden = !away && name !== "waiting";
    connect.textContent = name === "waiting" ? "Try now" : "Connect";
    disconnect.hidden = away;
    drop.hidden = name !== "open";
    url.readOnly = !away;
    token.readOnly = !away;
    onState();
  }

  return {
    client: present,
    get url() {
      return url.value.trim();
    },
    get state() {
      return client?.state ?? { name: "idle" };
    },
  };
}

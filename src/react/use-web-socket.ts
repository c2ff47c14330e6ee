import { useCallback, useEffect, useRef, useState } from "react";

export interface WebSocketView {
  /** `undefined` before the first effect and after unmounting. */
  readonly socket: WebSocket | undefined;
  readonly state: "connecting" | "open" | "closed";
  /** The received messages, parsed, oldest first; text that is not JSON stays text. The newest `keptMessages` are kept. */
  readonly messages: readonly unknown[];
  /** Sends a value as JSON; `false` if the socket is not open. */
  readonly send: (message: unknown) => boolean;
}

const keptMessages = 1000;

/** One plain WebSocket, without request ids, numbers or reconnects; see `useTroupe` for those. */
export function useWebSocket(url: string): WebSocketView {
  const [socket, setSocket] = useState<WebSocket>();
  const [state, setState] = useState<WebSocketView["state"]>("connecting");
  const [messages, setMessages] = useState<readonly unknown[]>([]);
  const present = useRef<WebSocket>(undefined);

  useEffect(() => {
    const opened = new WebSocket(url);
    const listening = new AbortController();
    const { signal } = listening;
    present.current = opened;
    setSocket(opened);
    setState("connecting");
    opened.addEventListener("open", () => setState("open"), { signal });
    opened.addEventListener("close", () => setState("closed"), { signal });
    opened.addEventListener(
      "message",
      (event) => setMessages((before) => [...before, parsed(event.data)].slice(-keptMessages)),
      { signal },
    );
    return () => {
      listening.abort();
      opened.close();
      present.current = undefined;
      setSocket(undefined);
    };
  }, [url]);

  const send = useCallback((message: unknown) => {
    if (present.current?.readyState !== WebSocket.OPEN) return false;
    present.current.send(JSON.stringify(message));
    return true;
  }, []);
  return { socket, state, messages, send };
}

function parsed(text: unknown): unknown {
  try {
    return typeof text === "string" ? JSON.parse(text) : text;
  } catch {
    return text;
  }
}

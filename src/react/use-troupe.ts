import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { TroupeClientOptions } from "../client/index.ts";
import { createRequestStore, type RequestStore, type TroupeSnapshot } from "./request-store.ts";

export interface Troupe extends TroupeSnapshot {
  /** Asks for an answer, which grows in `requests`; returns its id. */
  readonly send: RequestStore["send"];
  /** Shows a request that was asked elsewhere or before a reload, by its id; a running answer continues. */
  readonly resume: RequestStore["resume"];
  /** Stops a request, or only the lane of one persona. */
  readonly cancel: RequestStore["cancel"];
  readonly connect: RequestStore["connect"];
  /** Disconnects. Running requests are `unfollowed` until `connect`, or the next request, picks them up. */
  readonly disconnect: RequestStore["disconnect"];
  /** Runs a request again after a retryable error. */
  readonly retry: RequestStore["retry"];
}

/**
 * A connection to a server while the component is mounted, with the transcripts of the requests that it asked. Takes the server's address
 * or all of the client's options. Another address or other subprotocols make another connection; further options are read when it is
 * made. If `url` or `protocols` is a function, each attempt calls the newest render's function, and a different function does not make
 * another connection.
 */
export function useTroupe(target: string | TroupeClientOptions): Troupe {
  const options = typeof target === "string" ? { url: target } : target;
  const [store] = useState(createRequestStore);
  const newest = useRef(options);
  useEffect(() => {
    newest.current = options;
  });
  const address = JSON.stringify([options.url, options.protocols]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the address stands for the options, which are a new object in each render.
  useEffect(() => store.open(withNewest(options, newest)), [store, address]);
  const snapshot = useSyncExternalStore(store.subscribe, store.snapshot, store.snapshot);
  const { send, resume, cancel, connect, disconnect, retry } = store;
  return { ...snapshot, send, resume, cancel, connect, disconnect, retry };
}

/** The options, with functions that call those of the newest render. */
function withNewest(
  options: TroupeClientOptions,
  newest: { readonly current: TroupeClientOptions },
): TroupeClientOptions {
  return {
    ...options,
    url: typeof options.url === "function" ? () => resolved(newest.current.url) : options.url,
    ...(typeof options.protocols === "function"
      ? { protocols: () => resolved(newest.current.protocols ?? []) }
      : {}),
  };
}

function resolved<T extends string | readonly string[]>(given: T | (() => T | Promise<T>)): T | Promise<T> {
  return typeof given === "function" ? given() : given;
}

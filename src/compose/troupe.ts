import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Authenticate } from "../doors/identity/embedded-callers.ts";
import type { Clock } from "../ports/clock.ts";
import type { Observer } from "../ports/observer.ts";
import type { Persona, PersonaStore } from "../ports/persona.ts";
import type { ProviderCatalog } from "../ports/provider.ts";
import type { TroupeConfig } from "./config-file.ts";
import type { Logger } from "./log-observer.ts";
import type { Settings } from "./settings.ts";

/** The options of a server. Every setting of the command line is an option: its name in `--help`, in camelCase. */
export interface TroupeOptions extends Partial<Settings> {
  /** Default: the system's time. Tests pass their own. */
  readonly clock?: Clock;
  /** Uniform in [0, 1), for the spread of retries. Default `Math.random`. */
  readonly random?: () => number;
  /** The content of the config file, as in `troupe.json` but without `${NAME}`. Default: the file that `config` names, or none. */
  readonly configuration?: TroupeConfig;
  /** Your own providers, instead of the ones in the settings. At the start `openai` is looked up once, for the summary. */
  readonly providers?: ProviderCatalog;
  /**
   * Uses an application's login: identifies the caller of a request. Only its users are let in: keys and tickets do not count, and a page
   * must be of the server's own origin or an allowed one. Default: the settings decide.
   */
  readonly authenticate?: Authenticate;
  /** The socket's path. Its folder holds the HTTP routes: with `/troupe/ws` the page is at `/troupe/`. Default `/ws`. */
  readonly path?: string;
  /** Your own personas, instead of the built-in ones: a list, or a store that may have different ones for each owner. */
  readonly personas?: readonly Persona[] | PersonaStore;
  /** Default: no log. */
  readonly logger?: Logger;
  /** Is told of turns, calls, connections, refusals and faults, for metrics or traces. Default: none. */
  readonly observer?: Observer;
  /** Called with the new `providerSummary` when a local server is found after the start. Default: it is logged. */
  readonly onAnswering?: (providerSummary: string) => void;
  /** Token for pages opened from disk. Default: a new random one, known only to pages that `renderDiskPage` makes. */
  readonly pageToken?: string;
}

/** A server inside an application's HTTP server. */
export interface Troupe {
  /**
   * Handles the WebSocket upgrades for `path` of an HTTP server; the returned function stops that. Upgrades for other paths get 404 as
   * long as only troupes handle upgrades of that server. Any other listener must answer upgrades that it does not serve.
   */
  attach(server: Server): () => void;
  /**
   * Answers `/`, `/healthz`, `/readyz`, `/api/...` and plain requests for the socket's path. All of these are in the folder of `path`, or
   * where a framework mounts it. Pass it to `http.createServer` or to `app.use` of Express, or call it before a body is read.
   */
  readonly listener: (request: IncomingMessage, response: ServerResponse) => void;
  /** One line that names the provider. It changes if a local server is found after the start. */
  readonly providerSummary: string;
  /** Only a demonstration answers. It changes if a local server is found after the start. */
  readonly simulated: boolean;
  /** The test page for opening from disk. It contains the page token, unless callers need a key: then it asks for the key. */
  renderDiskPage(url: string): Promise<string>;
  /**
   * Closes the sockets of an owner (named as by `authenticate`) after a logout. Its clients reconnect, and are then authenticated again.
   * Running requests go on.
   */
  closeSockets(owner: string): void;
  /** Counts of everything in flight now. */
  stats(): {
    readonly connections: number;
    readonly turns: number;
    /** Requests counted in: starting and running ones. */
    readonly places: number;
    /** Followers of requests, and subscriptions to conversations. */
    readonly watchers: number;
    readonly subscriptions: number;
    /** Tokens reserved for running calls; 0 in a process whose budgets are counted in another one. */
    readonly reservedTokens: number;
    readonly logs: number;
    readonly logBytes: number;
    /** Bytes that waiting and running requests hold, estimated. */
    readonly requestBytes: number;
  };
  /**
   * Settles if other nodes on the same PostgreSQL database have taken over the requests of this server, because it did not answer for seconds
   * (a suspended machine, for example). By then its sockets are closed, and clients go on at another node. Close it and make a new one.
   */
  readonly lost: Promise<void>;
  /**
   * Before `close`, tells balancers to send clients elsewhere: from now on `/readyz` answers 503, and everything else is served as always.
   * After `lameDuckMs`, or when `close` is called, sockets whose clients can go on at another node are closed, each at a moment of its own.
   * Then it settles. Accept connections until `onDrained` of `close`: a balancer that finds a closed port cuts the other sockets.
   */
  leaveBalancer(): Promise<void>;
  /**
   * Stops the server: refuses new requests, lets running ones end for up to `drainMs` (default: the setting), ends the rest as
   * `interrupted`, and tells every client to reconnect. `onDrained` is called when no socket and no request is left, and awaited before the
   * stores close: close the port there.
   */
  close(options?: { readonly drainMs?: number; readonly onDrained?: () => Promise<void> }): Promise<void>;
}

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Authenticate } from "../adapters/http/embedded-callers.ts";
import type { Clock } from "../ports/clock.ts";
import type { Persona, PersonaStore } from "../ports/persona.ts";
import type { ProviderCatalog } from "../ports/provider-catalog.ts";
import type { Logger } from "./logger.ts";
import type { Settings } from "./settings.ts";

/** What a server may be given; every setting of the command line is an option of the name that `--help` shows, in camelCase. */
export interface TroupeOptions extends Partial<Settings> {
  /** Default: the system's time. Tests pass their own. */
  readonly clock?: Clock;
  /** Uniform in [0, 1), for the spread of retries. Default `Math.random`. */
  readonly random?: () => number;
  /** Providers of one's own instead of those that the settings choose. At the start `openai` is looked up once, for the summary. */
  readonly providers?: ProviderCatalog;
  /**
   * Joins an application's login: tells whose a request is. Nobody else is let in then: neither keys nor tickets count, and a page
   * must be of the server's own origin or an allowed one. Default: the settings decide.
   */
  readonly authenticate?: Authenticate;
  /** The socket's path. Its folder holds the HTTP routes: with `/troupe/ws` the page is at `/troupe/`. Default `/ws`. */
  readonly path?: string;
  /** Personas of one's own instead of the built-in ones: a list, or a store that may have others for each owner. */
  readonly personas?: readonly Persona[] | PersonaStore;
  /** Default: says nothing. */
  readonly logger?: Logger;
  /**
   * Called with the new `providerSummary` when a local server is found after the start. Default: it is logged.
   */
  readonly onAnswering?: (providerSummary: string) => void;
  /** Token for pages opened from disk. Default: a fresh one, which nobody knows. */
  readonly pageToken?: string;
}

/** A server inside somebody's HTTP server. */
export interface Troupe {
  /**
   * Takes the WebSocket upgrades for `path` of an HTTP server; the returned function gives them back. Upgrades for other paths get 404
   * while no listener but those of troupes takes upgrades; any other listener has to answer what it does not serve.
   */
  attach(server: Server): () => void;
  /**
   * Answers `/`, `/healthz`, `/readyz`, `/api/...` and plain requests for the socket's path, in the folder of `path` or where a
   * framework mounts it: pass it to `http.createServer`, to `app.use` of Express, or call it before a body is read.
   */
  readonly listener: (request: IncomingMessage, response: ServerResponse) => void;
  /** One line that names the provider. It changes if a local server is found after the start. */
  readonly providerSummary: string;
  /** Only a demonstration answers. It changes if a local server is found after the start. */
  readonly simulated: boolean;
  /** The test page for opening from disk, holding the page token; where callers need a key it asks for that instead. */
  renderDiskPage(url: string): Promise<string>;
  /**
   * Closes the sockets of an owner as `authenticate` names it, after a logout: its clients come back, and each is asked again who it is.
   * Requests that run go on.
   */
  closeSockets(owner: string): void;
  /** What is in flight now. */
  stats(): {
    readonly connections: number;
    readonly turns: number;
    /** Requests that are counted in: those that start, and those that run. */
    readonly places: number;
    /** Followers of requests, and subscriptions to conversations. */
    readonly watchers: number;
    readonly subscriptions: number;
    /** Tokens that are held back for calls that run; 0 in a process whose budgets another one counts. */
    readonly reservedTokens: number;
    readonly logs: number;
    readonly logBytes: number;
    /** Bytes that requests which wait or run hold, estimated. */
    readonly requestBytes: number;
  };
  /**
   * Stops: refuses new requests, lets running ones end for up to `drainMs` (default: the setting), ends the rest as
   * `interrupted`, and tells every client to come back.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

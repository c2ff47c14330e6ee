import type { RequestType } from "../client/index.ts";

/** The data to show a request again after a reload. */
export interface AskedRequest {
  readonly id: string;
  readonly type: RequestType;
  readonly question: string;
  readonly personaIds: readonly string[];
}

/** The page's memory over a reload, by the address of the server. */
export interface PageMemory {
  /** The requests to this server, oldest first. */
  asked(server: string): readonly AskedRequest[];
  /** Keeps a request. It replaces a request with the same id, in the same place. */
  remember(server: string, request: AskedRequest): void;
  /** The server's address that the reader wrote into this page, and whether it was connected. */
  connection(page: string): { readonly server: string; readonly isConnected: boolean } | undefined;
  rememberConnection(page: string, server: string, isConnected: boolean): void;
}

interface Kept {
  /** By server; the last used server comes last. */
  readonly asked: Readonly<Record<string, readonly AskedRequest[]>>;
  readonly connection?: { readonly page: string; readonly server: string; readonly isConnected: boolean };
}

const place = "troupe-page";
const maxRequests = 20;
const maxServers = 8;
/** Longer questions are cut, characters. */
const maxQuestion = 2_000;
const types: readonly RequestType[] = ["chat", "multi_chat", "openai_chat"];

/**
 * Keeps the memory in `storage`, which is the session's: a tab has its own, and it ends with the tab. If the browser refuses storage, or
 * it is full, the page works but remembers nothing after a reload.
 */
export function createPageMemory(storage: () => Storage): PageMemory {
  function read(): Kept {
    try {
      return keptIn(JSON.parse(storage().getItem(place) ?? "{}"));
    } catch {
      return { asked: {} }; // Switched off, or written by other code.
    }
  }

  function write(kept: Kept): boolean {
    try {
      storage().setItem(place, JSON.stringify(kept));
      return true;
    } catch {
      return false; // Switched off, or full.
    }
  }

  return {
    asked: (server) => askedOf(read(), server),
    remember(server, request) {
      const kept = read();
      const others = Object.entries(kept.asked).filter(([other]) => other !== server);
      const before = askedOf(kept, server);
      const cut = { ...request, question: cutText(request.question) };
      const at = before.findIndex(({ id }) => id === request.id);
      const all = at === -1 ? [...before, cut] : before.with(at, cut);
      const servers = [...others, [server, all.slice(-maxRequests)] as const];
      write({ ...kept, asked: Object.fromEntries(servers.slice(-maxServers)) });
    },
    connection(page) {
      const { connection } = read();
      return connection?.page === page ? connection : undefined;
    },
    rememberConnection(page, server, isConnected) {
      write({ ...read(), connection: { page, server, isConnected } });
    },
  };
}

/** The reader writes the address, so it may be `__proto__`. */
function askedOf({ asked }: Kept, server: string): readonly AskedRequest[] {
  return Object.hasOwn(asked, server) ? (asked[server] ?? []) : [];
}

function cutText(text: string): string {
  return text.length <= maxQuestion ? text : `${text.slice(0, maxQuestion)}…`;
}

/** Reads the memory of an earlier page, perhaps of another version, and omits every malformed part. */
function keptIn(value: unknown): Kept {
  const { asked, connection } = Object(value) as { asked?: unknown; connection?: unknown };
  const servers = Object.entries(Object(asked) as Record<string, unknown>);
  return {
    asked: Object.fromEntries(
      servers.map(([server, list]) => [server, Array.isArray(list) ? list.filter(isAsked) : []]),
    ),
    ...(isConnection(connection) ? { connection } : {}),
  };
}

function isAsked(value: unknown): value is AskedRequest {
  const { id, type, question, personaIds } = Object(value) as Record<string, unknown>;
  return (
    typeof id === "string" &&
    types.some((known) => known === type) &&
    typeof question === "string" &&
    Array.isArray(personaIds) &&
    personaIds.every((personaId) => typeof personaId === "string")
  );
}

function isConnection(value: unknown): value is NonNullable<Kept["connection"]> {
  const { page, server, isConnected } = Object(value) as Record<string, unknown>;
  return typeof page === "string" && typeof server === "string" && typeof isConnected === "boolean";
}

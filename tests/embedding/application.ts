import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createTroupe, type Troupe, type TroupeOptions } from "../../src/compose/create-troupe.ts";

/** An application's login, as far as a framework has to handle it. */
export interface Login {
  /** Starts a session and returns its cookie. */
  begin(user: string): string;
  /** Ends the session of a request, and returns its user. */
  end(request: IncomingMessage): string | undefined;
}

/** An application on a free port, with Troupe in its folder `/troupe`. */
export interface Application extends AsyncDisposable {
  readonly httpUrl: string;
  readonly socketUrl: string;
  readonly troupe: Troupe;
  /** Logs in over HTTP and returns the headers of this user's browser. */
  login(user: string): Promise<{ readonly cookie: string }>;
  /** Sends a request with the headers of a browser, and optionally an origin. */
  call(
    path: string,
    init?: { method?: string; headers?: Record<string, string>; body?: string },
  ): Promise<Response>;
}

/**
 * The part that each framework does in its own way: it answers `/hello`, `POST /login/<user>`, `POST /logout`, and passes
 * `/troupe` on.
 */
export type Framework = (troupe: Troupe, login: Login) => Promise<Server>;

/** Starts an application whose sessions are cookies of its own. */
export async function startApplication(
  framework: Framework,
  options: TroupeOptions = {},
): Promise<Application> {
  const sessions = new Map<string, string>();
  const sessionOf = ({ headers }: IncomingMessage) =>
    /(?:^|; )session=([\w-]+)/.exec(headers.cookie ?? "")?.[1] ?? "";
  const troupe = await createTroupe({
    localProviders: [],
    store: "memory",
    path: "/troupe/ws",
    authenticate(request) {
      const owner = sessions.get(sessionOf(request));
      return owner === undefined ? undefined : { owner };
    },
    ...options,
  });
  const server = await framework(troupe, {
    begin(user) {
      const session = randomUUID();
      sessions.set(session, user);
      return `session=${session}; Path=/; HttpOnly; SameSite=Lax`;
    },
    end(request) {
      const session = sessionOf(request);
      const user = sessions.get(session);
      sessions.delete(session);
      return user;
    },
  });
  troupe.attach(server);
  if (!server.listening) await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const httpUrl = `http://127.0.0.1:${port}`;
  const call: Application["call"] = (path, init = {}) =>
    fetch(`${httpUrl}${path}`, { redirect: "manual", ...init });
  return {
    ...{ httpUrl, troupe, call, socketUrl: `ws://127.0.0.1:${port}/troupe/ws` },
    async login(user) {
      const response = await call(`/login/${user}`, { method: "POST" });
      return { cookie: response.headers.getSetCookie()[0]?.split(";", 1)[0] ?? "" };
    },
    async [Symbol.asyncDispose]() {
      server.close();
      await troupe.close({ drainMs: 0 });
      server.closeAllConnections();
    },
  };
}

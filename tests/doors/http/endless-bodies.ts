import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { createMemoryConversations } from "../../../src/adapters/memory/memory-conversations.ts";
import type { ApiRoutes } from "../../../src/doors/http/api-routes.ts";
import { createConversationRoutes } from "../../../src/doors/http/conversation-routes.ts";
import { createHttpExchanges, type HttpExchangesOptions } from "../../../src/doors/http/http-exchanges.ts";
import { createClientAddress } from "../../../src/doors/identity/client-address.ts";
import type { MessagePage } from "../../../src/ports/conversation-store.ts";
import { createTestClock } from "../../support/test-clock.ts";

const message = {
  id: "m",
  role: "user",
  text: "x".repeat(32_000),
  status: "completed",
  createdAtMs: 0,
} as const;
const page: MessagePage = {
  pieces: [{ message, goesOn: false, isLast: true }],
  next: { message: 1, offset: 0 },
};

/** A server of an endless conversation, which counts how many of its pages were read. */
export async function serveEndless(limits: Partial<HttpExchangesOptions> = {}) {
  const clock = createTestClock();
  const faults: unknown[] = [];
  let pagesRead = 0;
  let isGone = false;
  let held: Promise<void> | undefined;
  const routes = createConversationRoutes({
    conversations: {
      ...createMemoryConversations({ clock, maxBytes: 1_000_000 }),
      summary: async () => ({ id: "c", title: "", createdAtMs: 0, updatedAtMs: 0 }),
      async messages() {
        pagesRead += 1;
        await held;
        return isGone ? undefined : page;
      },
    },
    deleteConversation: async () => false,
    observer: { faulted: ({ error }) => void faults.push(error) },
  });
  const app: ApiRoutes = new Hono();
  app.use(async (context, next) => {
    context.set("caller", { owner: "ada", keyId: "k", limits: {} });
    await next();
  });
  app.get("/healthz", (context) => context.text("ok"));
  app.route("/conversations", routes);
  const exchanges = createHttpExchanges({
    clock,
    maxInAll: 100,
    maxPerAddress: 100,
    clientAddress: createClientAddress([]),
    retryAfterMs: () => 3_000,
    ...limits,
  });
  const server = createServer(exchanges.guard(getRequestListener(app.fetch)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    clock,
    faults,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get pagesRead() {
      return pagesRead;
    },
    /** Pages wait until the returned function is called. */
    hold(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return resolve;
    },
    /** Deletes the conversation. */
    remove(): void {
      isGone = true;
    },
    /** Settles when no more pages are read, with their number. */
    async settled(): Promise<number> {
      for (let [before, turns] = [pagesRead, 0]; turns < 200; turns += 1) {
        await nextLoopTurn();
        if (pagesRead === before) continue;
        if (pagesRead > 3_000) break;
        [before, turns] = [pagesRead, 0];
      }
      return pagesRead;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

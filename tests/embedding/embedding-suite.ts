import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WebSocket } from "ws";
import type { SocketConstructor } from "../../src/client/index.ts";
import type { Logger } from "../../src/compose/log-observer.ts";
import { collect, eagerClient } from "../client/connected.ts";
import { createRawClient } from "../doubles/raw-client.ts";
import { handshakeText } from "../support/raw-socket.ts";
import { connect } from "../support/wire-client.ts";
import { type Application, type Framework, startApplication } from "./application.ts";

const nothing = () => undefined;
const question = { message: "Who is there?", persona_id: "porter", pacing: { mode: "raw" } };
const personas = [
  { id: "porter", name: "Porter", description: "Opens doors.", instructions: "You are a porter." },
];

async function handshakeStatus(application: Application, headers: Record<string, string>): Promise<number> {
  using client = await createRawClient(application.httpUrl);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  await client.send(
    handshakeText([`Host: ${new URL(application.httpUrl).host}`, ...lines], "GET /troupe/ws HTTP/1.1"),
  );
  const answer = (await client.next())?.toString() ?? "";
  return Number(answer.split(" ", 2)[1]);
}

/** Asks one question and returns the id of its conversation. */
async function ask(application: Application, headers: { readonly cookie: string }): Promise<string> {
  const client = await connect(application.socketUrl, { headers });
  client.send({ type: "chat", id: "mine", data: question });
  const last = (await client.untilTerminal()).at(-1);
  client.terminate();
  assert.ok(last?.type === "response", JSON.stringify(last));
  return String((last.data as { conversation_id?: unknown }).conversation_id);
}

/** The client library in a process that keeps cookies for it. */
function clientOf(application: Application, headers: { readonly cookie: string }) {
  class CookieSocket extends WebSocket {
    constructor(url: string, protocols?: string[]) {
      super(url, protocols, { headers });
    }
  }
  return eagerClient(application.socketUrl, {
    WebSocket: CookieSocket as SocketConstructor,
    fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...headers } }),
  });
}

/** With every framework, the application's login alone admits and refuses. */
export function testEmbedding(name: string, framework: Framework): void {
  describe(`embedded in ${name}`, () => {
    it("admits every user that is logged in, to their own data only", async () => {
      await using application = await startApplication(framework, { personas });
      const [ada, bob] = [await application.login("ada"), await application.login("bob")];
      const conversation = await ask(application, ada);
      const read = (headers: Record<string, string>) =>
        application.call(`/troupe/api/conversations/${conversation}`, { headers });
      assert.equal((await read(ada)).status, 200);
      assert.equal((await read(bob)).status, 404);
      assert.equal((await read({})).status, 401);
      assert.equal((await application.call("/troupe/api/requests/mine", { headers: bob })).status, 404);
      const list = await application.call("/troupe/api/conversations", { headers: bob });
      assert.deepEqual(await list.json(), { conversations: [] });
      const deleted = await application.call(`/troupe/api/conversations/${conversation}`, {
        ...{ method: "DELETE", headers: { ...bob, origin: application.httpUrl } },
      });
      assert.equal(deleted.status, 404);
      const renamed = await application.call(`/troupe/api/conversations/${conversation}`, {
        ...{ method: "PATCH", headers: { ...ada, origin: application.httpUrl }, body: '{"title":"Doors"}' },
      });
      assert.deepEqual([renamed.status, ((await renamed.json()) as { title: string }).title], [200, "Doors"]);
    });

    it("answers 401 without a login, even with other credentials", async () => {
      await using application = await startApplication(framework);
      for (const headers of [
        {},
        { cookie: "session=guess" },
        { authorization: "Bearer ada-0123456789abcdef" },
      ]) {
        assert.equal(await handshakeStatus(application, headers), 401);
        for (const path of ["/troupe/ws", "/troupe/api/personas"])
          assert.equal((await application.call(path, { headers })).status, 401, path);
      }
      const ada = await application.login("ada");
      const noTicket = await application.call("/troupe/api/tickets", { method: "POST", headers: ada });
      assert.equal(noTicket.status, 404);
    });

    it("closes the sockets of a logout, and the client stops there with a typed error", async () => {
      await using application = await startApplication(framework);
      const [ada, bob] = [await application.login("ada"), await application.login("bob")];
      using stays = clientOf(application, bob);
      using leaves = clientOf(application, ada);
      for (const client of [stays, leaves])
        await collect(
          client.request("chat", { ...question, persona_id: "skeptic", pacing: { mode: "raw" } }),
        );
      const slow = { mode: "fixed", interval_ms: 10_000, chunk_chars: 10 } as const;
      const running = leaves.request("chat", { message: "Go on.", persona_id: "skeptic", pacing: slow });
      await running[Symbol.asyncIterator]().next();
      await application.call("/logout", { method: "POST", headers: { ...ada, origin: application.httpUrl } });
      await assert.rejects(running.done, { name: "TroupeRequestError", code: "unauthenticated" });
      assert.ok(leaves.state.name === "closed");
      assert.equal(leaves.state.loss.error?.code, "unauthenticated");
      assert.equal(stays.state.name, "open");
      assert.equal(await handshakeStatus(application, ada), 401);
      assert.equal(await handshakeStatus(application, bob), 101);
    });

    it("refuses pages of other origins, even on this machine", async () => {
      await using application = await startApplication(framework, {
        allowedOrigins: ["https://app.example"],
      });
      const ada = await application.login("ada");
      for (const origin of ["https://evil.example", "http://localhost:5173", "http://127.0.0.1:1", "null"]) {
        const headers = { ...ada, origin };
        assert.equal(await handshakeStatus(application, headers), 403, origin);
        for (const method of ["DELETE", "PATCH", "POST"])
          assert.equal(
            (await application.call("/troupe/api/conversations/x", { method, headers })).status,
            403,
          );
        const read = await application.call("/troupe/api/conversations", { headers });
        assert.equal(read.headers.get("access-control-allow-origin"), null);
        // The page may read the reason, which is the same with and without a login.
        const answers = await Promise.all(
          [headers, { origin }].map(async (shown) => {
            const why = await application.call("/troupe/ws", { headers: shown });
            assert.equal(why.headers.get("access-control-allow-origin"), origin);
            return [why.status, await why.text()];
          }),
        );
        assert.deepEqual(answers[0], answers[1]);
        assert.equal(answers[0]?.[0], 403);
      }
      for (const origin of [application.httpUrl, "https://app.example"])
        assert.equal(await handshakeStatus(application, { ...ada, origin }), 101, origin);
      const read = await application.call("/troupe/api/conversations", {
        headers: { ...ada, origin: "https://app.example" },
      });
      assert.equal(read.headers.get("access-control-allow-credentials"), "true");
    });

    it("serves the page beside the socket, with the application's personas", async () => {
      await using application = await startApplication(framework, { personas });
      const moved = await application.call("/troupe");
      const location = new URL(moved.headers.get("location") ?? "", `${application.httpUrl}/troupe`);
      assert.deepEqual([moved.status, location.pathname], [307, "/troupe/"]);
      const html = await (await application.call("/troupe/")).text();
      const configuration = JSON.parse(/id="troupe-config">(.*?)<\/script>/.exec(html)?.[1] ?? "");
      assert.equal(configuration.path, "/troupe/ws");
      assert.deepEqual(
        configuration.personas.map(({ id }: { id: string }) => id),
        ["porter"],
      );
      assert.equal(html.includes("You are a porter"), false);
      assert.equal((await application.call("/troupe/healthz")).status, 200);
      assert.equal(await (await application.call("/hello")).text(), "Hello from the application.");
    });

    it("answers 500 with one line in the log if the application's callback fails", async () => {
      const lines: string[] = [];
      const logger: Logger = {
        ...{ debug: nothing, info: nothing, warn: nothing },
        error: (fields, message) => lines.push(`${message}: ${(fields as { err: Error }).err.message}`),
      };
      const answers: (() => never | { owner: string })[] = [
        () => {
          throw new Error("The sessions are away.");
        },
        () => ({ owner: "" }),
        () => ({ owner: "a\u0000b" }),
        () => ({ owner: "\ud800" }),
        () => ({ owner: "x".repeat(129) }),
        () => ({ owner: "ada", limits: { connection: 1 } }),
        () => ({ owner: "ada", limits: { connections: 0 } }),
      ];
      let answer = answers[0];
      await using application = await startApplication(framework, {
        logger,
        authenticate: () => answer?.(),
      });
      for (answer of answers) {
        for (const ask of [
          () => handshakeStatus(application, {}),
          async () => (await application.call("/troupe/api/personas")).status,
          async () => (await application.call("/troupe/ws")).status,
        ]) {
          lines.length = 0;
          assert.equal(await ask(), 500);
          assert.equal(lines.length, 1, lines.join());
        }
      }
    });
  });
}

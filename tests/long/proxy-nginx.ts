import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { createTroupeClient, ticketUrl } from "../../src/client/index.ts";
import { closeBrowser, openContext, withBrowser } from "./page/browser.ts";
import { openPlayground } from "./page/playground.ts";
import { proxyName, withNginx } from "./proxy/nginx.ts";
import { ada, anonymous, bob, keys, runPython, startBoth } from "./proxy/start-both.ts";
import { createVisitor } from "./proxy/visitor.ts";
import { withPython } from "./python/python-client.ts";

const forged = { "x-forwarded-for": "198.51.100.1", forwarded: "for=198.51.100.2" };
const question = { message: "Hello", persona_id: "skeptic", pacing: { mode: "raw" } } as const;
const withAll = { skip: withNginx.skip || withBrowser.skip };

describe("the client library through nginx with TLS", withNginx, () => {
  for (const way of ["a key", "a fresh ticket for each attempt", "a secret of its own"] as const) {
    it(`comes with ${way}, and returns after a cut`, async () => {
      await using both = await startBoth(way === "a secret of its own" ? anonymous : keys);
      const visitor = createVisitor(both.proxy, "127.0.0.2");
      const { socketUrl, WebSocket, fetch } = visitor;
      const isTicket = way.includes("ticket");
      const client = createTroupeClient({
        ...{ WebSocket, fetch, backoff: () => 0 },
        url: isTicket ? ticketUrl({ url: socketUrl, key: ada, fetch }) : socketUrl,
        protocols: isTicket ? [] : ["troupe", `troupe.token.${ada}`],
      });
      const slow = { mode: "fixed", interval_ms: 25, chunk_chars: 20 } as const;
      for (let cut = 0; cut < 3; cut += 1) {
        const request = client.request("chat", { ...question, pacing: slow });
        let text = "";
        for await (const message of request) {
          if (message.type !== "chunk") continue;
          if (text === "") visitor.cut();
          text += message.chunk;
        }
        assert.equal((await request.done).data["response" as never], text);
      }
      const list = await visitor.call("/api/conversations", { authorization: `Bearer ${ada}` });
      assert.equal(JSON.parse(list.body).conversations.length, 1);
      const others = await visitor.call("/api/conversations", { authorization: `Bearer ${bob}` });
      assert.deepEqual(JSON.parse(others.body).conversations, []);
      client.close();
      visitor.leave();
    });
  }

  it("resumes another client's request, and reads its conversation, in the proxy's folder", async () => {
    await using both = await startBoth(keys);
    const { socketUrl, WebSocket, fetch, leave } = createVisitor(both.proxy, "127.0.0.2");
    const way = { url: socketUrl, protocols: ["troupe", `troupe.token.${ada}`], WebSocket, fetch };
    const asking = createTroupeClient(way);
    const { request_id: id, data } = await asking.request("chat", question).done;
    asking.close();
    const looking = createTroupeClient(way);
    assert.deepEqual((await looking.resume(id).done).data, data);
    const { messages } = await looking.conversation(String(data.conversation_id));
    assert.deepEqual(
      messages.map(({ request_id }) => request_id),
      [id, id],
    );
    const another = createTroupeClient({ ...way, protocols: ["troupe", `troupe.token.${bob}`] });
    await assert.rejects(another.conversation(String(data.conversation_id)), {
      code: "conversation_not_found",
    });
    for (const client of [looking, another]) client.close();
    leave();
  });

  it("stops at a wrong key with a typed error", async () => {
    await using both = await startBoth(keys);
    const { socketUrl, WebSocket, fetch } = createVisitor(both.proxy, "127.0.0.2");
    for (const [url, protocols] of [
      [socketUrl, ["troupe", "troupe.token.wrong-0123456789abcdef"]],
      [ticketUrl({ url: socketUrl, key: "wrong-0123456789abcdef", fetch }), []],
    ] as const) {
      const client = createTroupeClient({ url, protocols, WebSocket, fetch });
      await assert.rejects(client.request("chat", question).done, { code: "unauthenticated" });
      assert.equal(client.state.name, "closed");
    }
  });
});

describe("visitors behind nginx", withNginx, () => {
  it("are told apart by their real address, even if they forge headers", async () => {
    await using both = await startBoth(keys);
    const guesser = createVisitor(both.proxy, "127.0.0.2", forged);
    const neighbour = createVisitor(both.proxy, "127.0.0.3", { "x-forwarded-for": "127.0.0.2" });
    const guess = (visitor: typeof guesser, count: number) =>
      visitor.call("/api/personas", { authorization: `Bearer guess-${count}-0123456789` });
    for (let count = 0; count < 20; count += 1) assert.equal((await guess(guesser, count)).status, 401);
    assert.equal((await guess(guesser, 20)).status, 429);
    // Another forged address does not make another visitor.
    const again = createVisitor(both.proxy, "127.0.0.2", { "x-forwarded-for": "198.51.100.99" });
    assert.equal((await guess(again, 21)).status, 429);
    assert.equal((await guess(neighbour, 22)).status, 401);
    for (const visitor of [guesser, again, neighbour]) {
      assert.equal((await visitor.call("/api/personas", { authorization: `Bearer ${ada}` })).status, 200);
      assert.equal(await visitor.handshake({ authorization: `Bearer ${ada}` }), 101);
      visitor.leave();
    }
  });

  it("share the limits of their own address without keys", async () => {
    await using both = await startBoth({ ...anonymous, TROUPE_MAX_CONNECTIONS_PER_ADDRESS: "2" });
    const [one, other] = ["127.0.0.2", "127.0.0.3"].map((address) =>
      createVisitor(both.proxy, address, forged),
    );
    assert.ok(one !== undefined && other !== undefined);
    assert.deepEqual([await one.handshake(), await one.handshake(), await one.handshake()], [101, 101, 429]);
    assert.equal(await other.handshake(), 101);
    one.leave();
    other.leave();
  });

  it("are all refused by a server for this machine only, and such a server starts under no other name", async () => {
    await using both = await startBoth({});
    const visitor = createVisitor(both.proxy, "127.0.0.2");
    for (const host of [{}, { host: "localhost" }]) {
      const isServed = "host" in host;
      assert.equal((await visitor.call("/api/conversations", host)).status, isServed ? 403 : 421);
      assert.equal((await visitor.call("/", host)).status, isServed ? 403 : 421);
    }
    const data = await mkdtemp(path.join(tmpdir(), "troupe-refused-"));
    for (const env of [{ TROUPE_ALLOWED_HOSTS: proxyName }, { TROUPE_TRUSTED_PROXIES: "127.0.0.1" }]) {
      const bin = path.resolve(import.meta.dirname, "../../bin/troupe.js");
      const { status, stderr } = spawnSync(process.execPath, ["--conditions=troupe-source", bin], {
        ...{
          env: { ...process.env, ...env, TROUPE_DATA: data, PORT: "0" },
          encoding: "utf8",
          timeout: 60_000,
        },
      });
      assert.equal(status, 1);
      assert.match(stderr, /^troupe: .* would let others in without keys; set TROUPE_API_KEYS .*\n$/);
    }
    await rm(data, { recursive: true });
  });
});

describe("the Python client through nginx", { skip: withNginx.skip || withPython.skip }, () => {
  it("comes with a key, and without one if that is allowed", async () => {
    for (const [env, given] of [
      [keys, { TROUPE_KEY: bob }],
      [anonymous, {}],
      [anonymous, { TROUPE_KEY: bob }],
    ] as const) {
      await using both = await startBoth(env);
      const { code, stdout, stderr } = await runPython(both.proxy, given);
      assert.deepEqual([code, stdout.length > 0], [0, true], stderr);
    }
  });

  it("shows in a sentence why it may not connect, and stops", async () => {
    for (const [env, words] of [
      [keys, /needs a key: give one by --key or TROUPE_KEY/],
      [{}, /lets nobody in this way/],
    ] as const) {
      await using both = await startBoth(env);
      const { code, stderr } = await runPython(both.proxy);
      assert.match(stderr, words);
      assert.equal(code, 4);
    }
  });
});

describe("Chromium through nginx", withAll, () => {
  after(closeBrowser);
  const options = { ignoreHTTPSErrors: true };

  it("shows a key on the page, which stops at a wrong one", async () => {
    await using both = await startBoth(keys);
    await using context = await openContext(options);
    const playground = await openPlayground(context, both.proxy.pageUrl);
    const { page, status } = playground;
    const socketUrl = `wss://${proxyName}:${both.proxy.port}/troupe/ws`;
    assert.equal(await page.locator("#url").inputValue(), socketUrl);
    await page.locator("#token").fill("wrong-0123456789abcdef");
    await page.getByRole("button", { name: "Connect" }).click();
    await status.getByText("Disconnected. A valid key is needed").waitFor();
    await playground.screenshot("proxy-wrong-key");
    await page.locator("#token").fill(ada);
    await playground.fill("pacing.mode", "raw");
    await playground.send();
    await playground.untilTurn("completed");
    await status.getByText(`Connected to ${socketUrl}.`).waitFor();
    await playground.screenshot("proxy-key");
    // The browser complains only of the page's refused attempt and of its question for the reason.
    assert.deepEqual(
      playground.faults.filter((fault) => !/401|Authentication failed/.test(fault)),
      [],
    );
  });

  it("opens a socket with a ticket once", async () => {
    await using both = await startBoth(keys);
    await using context = await openContext(options);
    const { page } = await openPlayground(context, both.proxy.pageUrl);
    const opened = await page.evaluate(`(async () => {
      const headers = { authorization: "Bearer ${ada}" };
      const { ticket } = await (await fetch("api/tickets", { method: "POST", headers })).json();
      const address = new URL("ws?ticket=" + ticket, location.href.replace("https:", "wss:"));
      const open = () => new Promise((resolve) => {
        const socket = new WebSocket(address);
        socket.onopen = () => resolve("open");
        socket.onerror = () => resolve("refused");
      });
      return [await open(), await open()];
    })()`);
    assert.deepEqual(opened, ["open", "refused"]);
  });

  it("is a caller of its own without a key, and known again after a reload", async () => {
    await using both = await startBoth(anonymous);
    await using context = await openContext(options);
    await using another = await openContext(options);
    const conversations = `fetch("api/conversations", { headers: { authorization: "Bearer " + localStorage["troupe-secret"] } })
      .then((answer) => answer.json()).then(({ conversations }) => conversations.length)`;
    for (const [browser, before] of [
      [context, 0],
      [another, 0],
      [context, 1],
    ] as const) {
      const playground = await openPlayground(browser, both.proxy.pageUrl);
      assert.equal(await playground.page.evaluate(conversations), before);
      await playground.fill("pacing.mode", "raw");
      await playground.send();
      await playground.untilTurn("completed");
      assert.deepEqual(playground.faults, []);
      await playground.screenshot("proxy-anonymous");
    }
  });
});

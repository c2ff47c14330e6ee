import assert from "node:assert/strict";
import { test } from "node:test";
import { modelsAddress, socketPath } from "../../src/page/socket-path.ts";

test("the page finds its socket beside itself, in folders that a proxy or a framework adds", () => {
  const rows = [
    ["/", "/ws", "/ws"],
    ["/index.html", "/ws", "/ws"],
    ["/chat/", "/ws", "/chat/ws"],
    ["/a/b/", "/ws", "/a/b/ws"],
    ["/troupe/", "/troupe/ws", "/troupe/ws"],
    ["/proxy/troupe/", "/troupe/ws", "/proxy/troupe/ws"],
    ["/troupe/", "/troupe/more/ws", "/troupe/more/ws"],
    ["/ws/", "/ws", "/ws/ws"],
  ] as const;
  for (const [page, path, socket] of rows) assert.equal(socketPath(page, path), socket, page);
});

test("the models are beside the socket, over TLS if the socket is", () => {
  assert.equal(modelsAddress("ws://localhost:8000/ws"), "http://localhost:8000/api/models");
  assert.equal(modelsAddress("wss://h/a/troupe/ws"), "https://h/a/troupe/api/models");
});

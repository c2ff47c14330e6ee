import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import tls from "node:tls";
import { makeSelfSignedCertificate } from "../support/self-signed-certificate.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { startFrameServer, startHttpServer, startPlainServer } from "./python/odd-servers.ts";
import { clientFile, runClient, startPython, startPythonIn, withPython } from "./python/python-client.ts";

/** One sentence, or two with the hint, in one line. */
function assertTold(
  { stdout, stderr, code }: { stdout: string; stderr: string; code: unknown },
  words: RegExp,
  status: number,
) {
  assert.equal(stdout, "");
  assert.doesNotMatch(stderr, /Traceback|Error\b|Errno/);
  assert.match(stderr, words);
  assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  assert.equal(code, status, stderr);
}

test(
  "an address that is not a socket's is reported before anything is tried, with status 2",
  withPython,
  async () => {
    for (const [url, words] of [
      [
        "http://localhost:8000",
        /^http:\/\/localhost:8000 is the address of a page; the socket's is ws:\/\/localhost:8000\/ws\.$/,
      ],
      ["https://chat.example.com/troupe/ws", /the socket's is wss:\/\/chat\.example\.com\/troupe\/ws\.$/],
      ["localhost:8000/ws", /is no address of a WebSocket, as ws:\/\/localhost:8000\/ws is one\.$/],
      ["", /^An empty text is no address of a WebSocket/],
      ["ws://", /^ws:\/\/ is no address of a WebSocket/],
      ["ws://local host/ws", /is no address of a WebSocket/],
      ["ws://localhost:8000/ws#here", /is no address of a WebSocket/],
      ["ws://localhost:99999/ws", /is no address: Port out of range/],
      ["ws://localhost:many/ws", /is no address: /],
      ["ws://[::1/ws", /is no address: Invalid IPv6 URL\.$/],
    ] as const)
      assertTold(await runClient(url, "chat", "Hi"), new RegExp(words.source, "m"), 2);
  },
);

test("an invalid key is reported before anything is tried, with status 2", withPython, async () => {
  for (const key of [
    "two\nlines-0123456789",
    "with space-0123456",
    "schlüssel-0123456",
    "emoji-🔑-0123456789",
  ]) {
    assertTold(
      await runClient("ws://localhost:9/ws", "chat", "Hi", "--key", key),
      /^The key holds a space, a line break/,
      2,
    );
    const fromEnv = startPythonIn(
      { TROUPE_KEY: key },
      clientFile,
      "--url",
      "ws://localhost:9/ws",
      "chat",
      "Hi",
    );
    assertTold(await fromEnv.ended, /^The key holds a space, a line break/, 2);
  }
});

test(
  "a server that is not there: the error gives a hint, with status 3, and shows no password",
  withPython,
  async () => {
    let closed = "";
    {
      using server = await startPlainServer("");
      closed = server.host;
    }
    const refused = await runClient(`ws://ada:geheim@${closed}/ws`, "chat", "Hi");
    assertTold(
      refused,
      /^Cannot connect to ws:\/\/127\.0\.0\.1:\d+\/ws: connection refused\. Is the server running\? `npm start`/,
      3,
    );
    assert.doesNotMatch(refused.stderr, /geheim/);
    assertTold(
      await runClient("ws://troupe.invalid/ws", "chat", "Hi"),
      /^Cannot connect to .*: its host name is not known\./,
      3,
    );
  },
);

test("a server that is not Troupe: its answer, with a status by the remedy", withPython, async () => {
  for (const [status, words, code, headers] of [
    [200, /does not answer as a WebSocket does \(HTTP 200\); a server with TLS needs wss:\/\/\.$/, 5],
    [
      301,
      /does not answer as a WebSocket does \(.*example\.invalid/,
      5,
      ["Location: https://example.invalid/ws"],
    ],
    [400, /does not answer as a WebSocket does \(HTTP 400\)/, 5],
    [404, /has no socket at this path, which usually is \/ws\.$/, 5],
    [407, /does not answer as a WebSocket does \(HTTP 407\)/, 5],
    [421, /does not serve this host name; TROUPE_ALLOWED_HOSTS would allow it\.$/, 4],
    [426, /does not answer as a WebSocket does \(HTTP 426\)/, 5],
    [429, /takes no more from you now; try again later\.$/, 3],
    [500, /or a proxy before it fails \(HTTP 500\)\.$/, 3],
    [502, /or a proxy before it fails \(HTTP 502\)\.$/, 3],
    [503, /has no room now or is stopping; try again later\.$/, 3],
  ] as const) {
    using server = await startHttpServer(status, headers);
    assertTold(await runClient(`ws://${server.host}/ws`, "chat", "Hi"), new RegExp(words.source, "m"), code);
  }
  const alert = Uint8Array.from([0x15, 3, 1, 0, 2, 2, 0x46]);
  for (const [reply, options] of [
    ["SSH-2.0-OpenSSH_9.2\r\n", { greets: true }],
    ["", {}],
    ["hello\r\n\r\n", {}],
    [alert, {}],
  ] as const) {
    using server = await startPlainServer(reply, options);
    assertTold(
      await runClient(`ws://${server.host}/ws`, "chat", "Hi"),
      /does not answer as a WebSocket does/,
      5,
    );
  }
  const frames = ["hello", Uint8Array.from([0, 255]), "7", "[]", '{"a":1}', '{"type":7}'].map((frame) => [
    frame,
  ]);
  for (const replies of [...frames, []]) {
    using server = await startFrameServer(...replies);
    const told = await runClient(`ws://${server.host}/ws`, "chat", "Hi");
    assert.match(told.stderr, /\[error not_troupe: ws:\S+ answers, but not as Troupe does\.\]\n$/);
    assert.doesNotMatch(told.stderr, /Traceback/);
    assert.equal(told.code, 5);
  }
});

const openssl = existsSync("/usr/bin/openssl") || process.env.CI === "true";

test("TLS where there is none, none where there is, and a certificate that nobody trusts", {
  skip: withPython.skip || (!openssl && "no openssl"),
}, async () => {
  await using plain = await startTroupe();
  assertTold(
    await runClient(plain.url.replace("ws:", "wss:"), "chat", "Hi"),
    /^Cannot connect to wss:\S+: no TLS connection comes about \(\w+\); a server without TLS needs ws:\/\/\.$/m,
    5,
  );
  const folder = await mkdtemp(path.join(tmpdir(), "troupe-tls-"));
  const { keyFile, certificateFile } = makeSelfSignedCertificate({ folder, commonName: "localhost" });
  const server = tls.createServer({ key: await readFile(keyFile), cert: await readFile(certificateFile) });
  // A client that does not trust the certificate may end the connection in any way.
  server.on("tlsClientError", () => undefined);
  server.on("secureConnection", (socket) => socket.on("error", () => socket.destroy()));
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
  try {
    assertTold(
      await runClient(`wss://127.0.0.1:${port}/ws`, "chat", "Hi"),
      /its certificate is not trusted \(self.signed certificate\); SSL_CERT_FILE names the issuer's file\./,
      3,
    );
    assertTold(
      await runClient(`ws://127.0.0.1:${port}/ws`, "chat", "Hi"),
      /a server with TLS needs wss:\/\/\.$/m,
      5,
    );
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
});

test("its syntax is that of Python 3.8, the oldest that it names", withPython, async () => {
  const script =
    "import ast, sys; ast.parse(open(sys.argv[1], encoding='utf-8').read(), feature_version=(3, 8))";
  const { code, stderr } = await startPython("-c", script, clientFile).ended;
  assert.equal(code, 0, stderr);
  assert.match(await readFile(clientFile, "utf8"), /Needs Python 3\.8 or newer/);
});

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { text as textOf } from "node:stream/consumers";
import { test } from "node:test";
import { userText } from "../../src/ports/item.ts";
import type { Provider, ProviderEvent } from "../../src/ports/provider.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { startFrameServer } from "./python/odd-servers.ts";
import { clientFile, framesOf, startPythonIn, withPython } from "./python/python-client.ts";

const said = "Grüße aus Łódź 👋🏽 👩‍💻 – „naïve“ 你好 \u202eabc\u202c.";

/** A provider that says one text and records the questions it was asked. */
function sayingProvider() {
  const asked: string[] = [];
  const provider: Provider = {
    name: "saying",
    simulated: false,
    async *stream({ input, model }): AsyncGenerator<ProviderEvent[]> {
      asked.push(userText(input));
      yield [{ type: "text", text: said }];
      yield [{ type: "end", finishReason: "stop", model }];
    },
  };
  const choose = (api: string) => ({ provider, api, model: "saying" });
  return { asked, providers: { choose } };
}

/** Replaces each character that the encoding lacks. */
function replaced(text: string, has: RegExp): string {
  return [...text].map((character) => (has.test(character) ? character : "?")).join("");
}

const ascii = /^[\0-\x7f]$/;
const cp1252 = /^[\0-\x7f\xa0-\xff–„“]$/;
const noCoercion = { PYTHONCOERCECLOCALE: "0", PYTHONUTF8: "0" };
const outputs: readonly [string, Record<string, string>, RegExp][] = [
  ["a pipe of Windows", { PYTHONIOENCODING: "cp1252" }, cp1252],
  ["a strict one", { PYTHONIOENCODING: "cp1252:strict" }, cp1252],
  ["ASCII", { PYTHONIOENCODING: "ascii" }, ascii],
  ["the locale C", { LC_ALL: "C", ...noCoercion }, ascii],
  ["the locale POSIX", { LC_ALL: "POSIX", ...noCoercion }, ascii],
  ["Latin 1", { PYTHONIOENCODING: "latin-1" }, /^[\0-\xff]$/],
  ["UTF-8", { PYTHONIOENCODING: "utf-8" }, /^.$/u],
];

test("an answer goes on in every encoding, and missing characters are replaced", withPython, async () => {
  const { asked, providers } = sayingProvider();
  await using server = await startTroupe({ providers });
  for (const [name, env, has] of outputs) {
    const ask = (...more: string[]) =>
      startPythonIn(env, clientFile, "--url", server.url, "openai_chat", "Sag „hallo“ 👋", ...more);
    const { child, ended } = ask();
    const bytes: Buffer[] = [];
    child.stdout
      .setEncoding("latin1")
      .on("data", (piece: string) => bytes.push(Buffer.from(piece, "latin1")));
    const { code, stderr } = await ended;
    assert.doesNotMatch(stderr, /Traceback|UnicodeEncodeError/, name);
    assert.equal(code, 0, name);
    const decoder = new TextDecoder(
      has === cp1252
        ? "windows-1252"
        : has === ascii || env.PYTHONIOENCODING === "utf-8"
          ? "utf-8"
          : "latin1",
    );
    assert.equal(decoder.decode(Buffer.concat(bytes)), `${replaced(said, has)}\n`, name);
    assert.equal(asked.at(-1), "Sag „hallo“ 👋", name);
    // JSON can name every character, even one that the encoding lacks.
    const frames = framesOf(await ask("--raw").ended);
    const end = frames.at(-1);
    assert.ok(end?.type === "response" && "output_text" in end.data, name);
    assert.equal(end.data.output_text, said, name);
  }
});

test(
  "half a character from a server, and a byte of no encoding from the shell, do no harm",
  withPython,
  async () => {
    const half = '{"type":"chunk","request_id":"r","seq":1,"chunk":"a\\ud83db","is_final":true}';
    const end =
      '{"type":"response","request_id":"r","seq":2,"status":"completed","data":{"response":"a\\ud83db","status":"completed"}}';
    using server = await startFrameServer(half, end);
    const url = `ws://${server.host}/ws`;
    const shown = await startPythonIn({}, clientFile, "--url", url, "chat", "Hi", "--id", "r").ended;
    assert.deepEqual([shown.code, shown.stdout], [0, "a?b\n"], shown.stderr);
    const raw = await startPythonIn({}, clientFile, "--url", url, "chat", "Hi", "--id", "r", "--raw").ended;
    assert.match(raw.stdout, /"a\\ud83db"/);
    const { asked, providers } = sayingProvider();
    await using troupe = await startTroupe({ providers });
    const command = `exec "$0" -B "$1" --url "$2" openai_chat "$(printf 'a\\377b')"`;
    const child = spawn("sh", ["-c", command, "/usr/bin/python3", clientFile, troupe.url]);
    const [stderr] = await Promise.all([textOf(child.stderr), textOf(child.stdout)]);
    assert.doesNotMatch(stderr, /Traceback/);
    assert.equal(asked.at(-1), "a\ufffdb");
  },
);

test("a closed output is silent", withPython, async () => {
  const { providers } = sayingProvider();
  await using server = await startTroupe({ providers });
  for (const closed of [">&-", "2>&-", ">&- 2>&-"]) {
    const command = `exec "$0" -B "$1" --url "$2" openai_chat Hi ${closed}`;
    const child = spawn("sh", ["-c", command, "/usr/bin/python3", clientFile, server.url]);
    const [stdout, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
    assert.doesNotMatch(stderr, /Traceback|Error/, closed);
    assert.doesNotMatch(stdout, /\[/, closed);
  }
});

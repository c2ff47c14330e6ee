import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { readSnippets } from "../../scripts/snippets.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { clientFile, startPythonIn, withPython } from "./python/python-client.ts";

test("the Python of README.md prints an answer", withPython, async () => {
  await using server = await startTroupe();
  const code = readSnippets("README.md").find(({ name }) => name === "python")?.code ?? "";
  const specified = "ws://localhost:8000/ws";
  assert.ok(code.includes(specified), "the snippet names the specified address");
  const program = code.replaceAll(specified, server.url);
  const {
    code: exitCode,
    stdout,
    stderr,
  } = await startPythonIn({ PYTHONPATH: path.dirname(clientFile) }, ...["-c", program]).ended;
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /This is a scripted demonstration/);
});

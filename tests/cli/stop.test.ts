import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { freePort } from "../support/free-port.ts";
import { connect } from "../support/wire-client.ts";
import { bin, type CliRun, startCli, startCommand } from "./start-cli.ts";

const skip = process.platform === "win32" && "Windows has no signals";
const { PATH = "" } = process.env;

/** A request whose answer takes longer than any test. */
async function startLongRequest(run: CliRun) {
  const client = await connect(`ws://localhost:${await run.listening()}/ws`);
  const pacing = { mode: "fixed", chunk_chars: 1, interval_ms: 10_000 };
  client.send({ type: "chat", id: "long", data: { message: "Hi", persona_id: "teacher", pacing } });
  await client.next((message) => message.type === "chunk");
  return client;
}

describe("Ctrl-C", { skip }, () => {
  for (const TROUPE_WORKERS of ["1", "2"]) {
    it(`tells the running requests, and a second one stops at once, with ${TROUPE_WORKERS} worker(s)`, async () => {
      await using run = await startCli(["--port", "0", "--drain-ms", "600000"], { TROUPE_WORKERS });
      const client = await startLongRequest(run);
      // Sent to every process, as a terminal does.
      run.killGroup("SIGINT");
      await run.said(
        /^Troupe stops; .* run(ning)? .*up to 600 s \(TROUPE_DRAIN_MS\), a second Ctrl-C stops at once\n/m,
      );
      client.send({ type: "ping", id: "still" });
      await client.next((message) => message.type === "pong");
      let isOver = false;
      void run.ended.then(() => {
        isOver = true;
      });
      // A signal that comes too early counts as part of the first one; another test covers the limit.
      while (!isOver) {
        run.killGroup("SIGINT");
        await Promise.race([run.ended, new Promise((resolve) => setTimeout(resolve, 100))]);
      }
      assert.equal(await run.ended, 1);
    });
  }

  it("twice in one moment, as npm hands it on, stops in order", async () => {
    await using run = await startCli(["--port", "0", "--drain-ms", "600000"]);
    const client = await startLongRequest(run);
    run.killGroup("SIGINT");
    run.killGroup("SIGINT");
    await run.said(/1 running request /);
    client.send({ type: "cancel", data: { request_id: "long" } });
    await client.untilTerminal("long");
    assert.equal(await run.ended, 0);
  });

  it("SIGHUP of a terminal that is closed stops in order too", async () => {
    await using run = await startCli(["--port", "0"]);
    await run.listening();
    run.child.kill("SIGHUP");
    assert.equal(await run.ended, 0);
    assert.match(run.output(), /^Troupe stops$/m);
  });
});

describe("an output that is gone", { skip }, () => {
  /** Connects as soon as the server listens; its closed output cannot say when. */
  async function connectWhenItListens(url: string) {
    for (;;) {
      try {
        return await connect(url);
      } catch (error) {
        // The second code occurs if workers are started: the first process checks whether the port is free, and closes it
        // again.
        assert.match(String((error as NodeJS.ErrnoException).code), /^ECONN(REFUSED|RESET)$/);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  for (const TROUPE_WORKERS of ["1", "2"]) {
    it(`a closed pipe keeps it neither from starting nor from serving, with ${TROUPE_WORKERS} worker(s)`, async () => {
      const port = await freePort();
      await using run = await startCli(["--port", `${port}`], { TROUPE_WORKERS });
      run.child.stdout?.destroy();
      run.child.stderr?.destroy();
      const client = await connectWhenItListens(`ws://127.0.0.1:${port}/ws`);
      // Each refusal writes a line to the log.
      for (let count = 0; count < 3; count += 1) {
        const refused = await fetch(`http://127.0.0.1:${port}/api/nothing-${count}`, {
          headers: { origin: "http://evil.example" },
        });
        await refused.arrayBuffer();
      }
      client.send({ type: "ping", id: "alive" });
      assert.deepEqual(await client.next(), { type: "pong", id: "alive" });
      client.close();
      run.child.kill("SIGTERM");
      assert.equal(await run.ended, 0);
    });
  }

  it("streams that were closed before it started do no harm", async () => {
    const port = await freePort();
    const command = ["sh", "-c", `exec "$0" "$1" --port ${port} <&- >&- 2>&-`, process.execPath, bin];
    await using run = await startCommand(command, { PATH });
    const client = await connectWhenItListens(`ws://127.0.0.1:${port}/ws`);
    client.send({ type: "ping", id: "alive" });
    assert.deepEqual(await client.next(), { type: "pong", id: "alive" });
    client.close();
    run.child.kill("SIGTERM");
    await once(run.child, "exit");
    assert.equal(run.child.exitCode, 0);
  });
});

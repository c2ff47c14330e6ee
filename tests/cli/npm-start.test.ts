import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { root } from "../../scripts/repository.ts";
import { connect } from "../support/wire-client.ts";
import { bin, startCommand } from "./start-cli.ts";

const skip = process.platform === "win32" && "Windows has no signals";
/** The npm that runs these tests, or otherwise the one on the path. */
const npm = process.env.npm_execpath?.endsWith("npm-cli.js")
  ? [process.execPath, process.env.npm_execpath]
  : ["npm"];
const { PATH = "", HOME = "/" } = process.env;

describe("npm start", { skip }, () => {
  for (const [signal, TROUPE_WORKERS] of [
    ["SIGTERM", "1"],
    ["SIGTERM", "2"],
    ["SIGKILL", "1"],
  ] as const) {
    it(`${signal} to npm leaves nothing behind, with ${TROUPE_WORKERS} worker(s)`, async () => {
      const env = { PATH, HOME, PORT: "0", TROUPE_WORKERS, npm_config_update_notifier: "false" };
      await using run = await startCommand([...npm, "start"], env, root);
      await run.listening();
      run.child.kill(signal);
      // The output stays open as long as any of its processes runs.
      await run.ended;
    });
  }

  it("a runner whose shell is the server's parent is watched, one whose shell went away at once as well", async () => {
    for (const script of [`"$0" "$1" --port 0; :`, `exec "$0" "$1" --port 0`]) {
      const runner = ["sh", "-c", `sh -c '${script}' "$0" "$1"; :`, process.execPath, bin];
      await using run = await startCommand(runner, { PATH, npm_lifecycle_event: "start" });
      await run.listening();
      run.child.kill("SIGKILL");
      await run.ended;
    }
  });

  it("but a server that no runner started outlives the shell that did", async () => {
    const shell = ["sh", "-c", `"$0" "$1" --port 0 & wait`, process.execPath, bin];
    await using run = await startCommand(shell, { PATH });
    const client = await connect(`ws://localhost:${await run.listening()}/ws`);
    run.child.kill("SIGKILL");
    await once(run.child, "exit");
    // Longer than a server that a runner started would take to notice.
    const lateness = setTimeout(() => client.send({ type: "ping", id: "alive" }), 600);
    assert.deepEqual(await client.next(), { type: "pong", id: "alive" });
    clearTimeout(lateness);
    client.close();
    run.killGroup("SIGTERM");
    await run.ended;
  });
});

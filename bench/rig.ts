import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type ChildProgram, startChild } from "../tests/long/load/child-program.ts";
import type { ClientAnswers } from "./client/client-program.ts";
import type { Target } from "./client/target.ts";
import { pinLoad } from "./machine/cores.ts";
import { startMeasured } from "./machine/measured-process.ts";
import type { Side } from "./sides/side.ts";
import type { Flow } from "./upstream/token-wheel.ts";
import type { UpstreamAnswers } from "./upstream/upstream-program.ts";

/** The load: a provider's double and a client, on the core that the measured side does not use. */
export interface Rig extends AsyncDisposable {
  readonly isPinned: boolean;
  readonly upstream: ChildProgram<UpstreamAnswers>;
  readonly client: ChildProgram<ClientAnswers>;
  /** Starts a side; without `side`, uses the double itself. The client's connections are closed together with it. */
  start(side: Side | undefined, options: StartOptions): Promise<RunningSide>;
}

interface StartOptions {
  readonly flow: Flow;
  /** The side asks the double over TLS. Default false. */
  readonly isSecure?: boolean;
  readonly nodeFlags?: readonly string[];
}

export interface RunningSide extends AsyncDisposable {
  /** `undefined` if the client asks the double itself. */
  readonly pid: number | undefined;
  readonly target: Target;
}

export async function startRig(direct: Omit<Target, "port">): Promise<Rig> {
  const isPinned = pinLoad();
  await using starting = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), "troupe-bench-"));
  starting.defer(() => rm(folder, { recursive: true }));
  const { keyFile, certificateFile } = makeCertificate(folder);
  const upstream = starting.use(
    await startChild<UpstreamAnswers>(import.meta.resolve("./upstream/upstream-program.ts"), {
      args: [keyFile, certificateFile],
    }),
  );
  const client = starting.use(
    await startChild<ClientAnswers>(import.meta.resolve("./client/client-program.ts")),
  );
  const { plainPort, securePort } = await upstream.ask("ports");
  const running = starting.move();
  let started = 0;

  return {
    isPinned,
    upstream,
    client,
    async start(side, { flow, isSecure = false, nodeFlags = [] }) {
      await upstream.ask("flow", flow);
      const close = () => client.ask("closeAll");
      if (side === undefined)
        return { pid: undefined, target: { ...direct, port: plainPort }, [Symbol.asyncDispose]: close };
      started += 1;
      const own = path.join(folder, `${started}-${side.name}`);
      await mkdir(own);
      const upstreamUrl = isSecure
        ? `https://localhost:${securePort}/v1`
        : `http://127.0.0.1:${plainPort}/v1`;
      const program = await side.program({ upstreamUrl, folder: own, certificateFile, nodeFlags });
      const process = await startMeasured({ ...program, isPinned });
      return {
        pid: process.pid,
        target: { ...side.target, port: process.port },
        async [Symbol.asyncDispose]() {
          await close();
          await process[Symbol.asyncDispose]();
        },
      };
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** A certificate for this machine only. The sides are told to trust it. */
function makeCertificate(folder: string): { keyFile: string; certificateFile: string } {
  const keyFile = path.join(folder, "key.pem");
  const certificateFile = path.join(folder, "certificate.pem");
  const { status, stderr } = spawnSync(
    "openssl",
    [
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost".split(
        " ",
      ),
      ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
      ...["-keyout", keyFile, "-out", certificateFile],
    ],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`openssl made no certificate: ${stderr}`);
  return { keyFile, certificateFile };
}

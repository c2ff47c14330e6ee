import cluster from "node:cluster";
import path from "node:path";
import { createTroupe, type Troupe, type TroupeOptions } from "./compose/create-troupe.ts";
import { describeCause } from "./compose/describe-cause.ts";
import { findRunner } from "./compose/find-runner.ts";
import { listen } from "./compose/listen.ts";
import { openLog } from "./compose/open-log.ts";
import { keepPageToken } from "./compose/page-token.ts";
import { openPrivateFolder, writePrivate } from "./compose/private-folder.ts";
import { runPrimary } from "./compose/run-primary.ts";
import { runWorker } from "./compose/run-worker.ts";
import { readSettings, SettingError, type Settings, settingsHelp } from "./compose/settings.ts";
import { type Stoppable, stopOnSignals } from "./compose/stop-on-signals.ts";

/** Starts the server as the command line asks; what cannot work ends the process with one clear line and status 1. */
export async function main(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  // A pipe or a terminal that is gone takes nothing more; the server goes on.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  try {
    const { help, ...settings } = readSettings(args, env);
    if (help) return void process.stdout.write(`${settingsHelp()}\n`);
    await start(settings, args);
  } catch (error) {
    process.stderr.write(`troupe: ${explain(error)}\n`);
    process.exitCode = 1;
    // A worker's line to the first process would keep it from ending.
    if (cluster.isWorker) process.exit();
  }
}

async function start(settings: Settings, args: readonly string[]): Promise<void> {
  const logger = openLog(settings.logLevel);
  if (settings.store === "memory")
    await openPrivateFolder(settings.data, { files: [], onWarning: (warning) => logger.warn({}, warning) });
  const pageToken = await keepPageToken(settings.data);
  if (settings.workers === 1) return startAlone(settings, { logger, pageToken });
  if (cluster.isWorker) {
    return runWorker(settings, { logger, pageToken }, (troupe, port) => announce(troupe, settings, port));
  }
  const whenAsked = stopWhenAsked();
  const primary = await runPrimary(settings, args, logger);
  if (primary === undefined) process.exitCode = 1;
  else whenAsked({ ...primary, drainMs: settings.drainMs });
}

async function startAlone(settings: Settings, options: TroupeOptions): Promise<void> {
  const whenAsked = stopWhenAsked();
  const troupe = await createTroupe({ ...settings, ...options });
  try {
    const listening = await listen(troupe, settings);
    await announce(troupe, settings, listening.port);
    whenAsked({
      stop: () => listening.stop(troupe.close()),
      running: () => troupe.stats().turns,
      drainMs: settings.drainMs,
    });
  } catch (error) {
    await troupe.close({ drainMs: 0 });
    throw error;
  }
}

/** Tells the user where to go. */
async function announce(troupe: Troupe, settings: Settings, port: number): Promise<void> {
  const host = settings.host.includes(":") ? `[${settings.host}]` : settings.host;
  const diskPage = path.resolve(settings.data, "websocket_test.html");
  await writePrivate(diskPage, await troupe.renderDiskPage(`ws://${host}:${port}/ws`));
  process.stdout.write(
    [
      `Troupe listens on ws://${host}:${port}/ws`,
      `  page      http://${host}:${port}/`,
      `  from disk ${diskPage}`,
      `  provider  ${troupe.providerSummary}`,
      "",
    ].join("\n"),
  );
}

/** Stops on signals; started by npm or another runner of scripts, also when that has ended. */
function stopWhenAsked(): (what: Stoppable) => void {
  return stopOnSignals({
    source: process,
    now: () => performance.now(),
    say: (line) => process.stdout.write(`${line}\n`),
    exit: (code) => process.exit(code),
    parent: findRunner(process.env),
  });
}

function explain(error: unknown): string {
  if (error instanceof SettingError) return error.message;
  const { code, port, message } = error as NodeJS.ErrnoException & { port?: number };
  if (code === "EADDRINUSE") return `port ${port} is in use; choose another with PORT or --port`;
  if (code === "EACCES" || code === "EROFS") return `no permission: ${message}`;
  return describeCause(error) ?? String(error);
}

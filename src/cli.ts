import cluster from "node:cluster";
import { systemClock } from "./adapters/system/system-clock.ts";
import { createUpstreamAgents } from "./adapters/upstream/upstream-call.ts";
import { Announcement } from "./compose/announcement.ts";
import { describeCause } from "./compose/describe-cause.ts";
import { readEnvFile } from "./compose/env-file.ts";
import { findRunner } from "./compose/find-runner.ts";
import { checkNamedServer } from "./compose/local-server.ts";
import type { Logger } from "./compose/log-observer.ts";
import { openLog } from "./compose/open-log.ts";
import { openObserving } from "./compose/open-observing.ts";
import { keepPageToken, openPrivateFolder } from "./compose/private-folder.ts";
import { proxiesOf } from "./compose/provider-settings.ts";
import { readFlags } from "./compose/read-flags.ts";
import { readSettings } from "./compose/read-settings.ts";
import { runAlone } from "./compose/run-alone.ts";
import { runBackup } from "./compose/run-backup.ts";
import { runPrimary } from "./compose/run-primary.ts";
import { runWorker } from "./compose/run-worker.ts";
import { SettingError, type Settings, settingsHelp } from "./compose/settings.ts";
import { type Stoppable, stopOnSignals } from "./compose/stop-on-signals.ts";

/** Starts the server from a command line. If it cannot start, the process ends with one clear line and status 1. */
export async function main(given: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  // A closed pipe or terminal takes nothing more, but the server goes on.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  try {
    const { args, backup } = readCommand(given);
    if (readFlags(args).help) return void process.stdout.write(`${settingsHelp()}\n`);
    const file = await readEnvFile(process.cwd());
    const { settings, notes } = readSettings(args, { env, fileEnv: file.variables });
    // Each worker reads the same settings again.
    if (cluster.isPrimary)
      for (const note of [...file.notes, ...notes]) process.stderr.write(`troupe: ${note}\n`);
    if (backup === undefined) await start(settings, args);
    else await runBackup(backup.file, settings, (line) => process.stdout.write(line));
  } catch (error) {
    process.stderr.write(`troupe: ${explain(error)}\n`);
    process.exitCode = 1;
    // The channel to the primary process would keep a worker from ending.
    if (cluster.isWorker) process.exit();
  }
}

interface Command {
  /** The flags. */
  readonly args: readonly string[];
  /** Present if the command line is `backup FILE`, before or without flags. */
  readonly backup?: { readonly file: string | undefined };
}

function readCommand(given: readonly string[]): Command {
  if (given[0] !== "backup") return { args: given };
  const file = given[1]?.startsWith("-") === true ? undefined : given[1];
  return { args: given.slice(file === undefined ? 1 : 2), backup: { file } };
}

async function start(settings: Settings, args: readonly string[]): Promise<void> {
  const logger = openLog(settings);
  if (settings.store === "memory" || settings.databaseUrl !== undefined)
    await openPrivateFolder(settings.data, { files: [], onWarning: (warning) => logger.warn({}, warning) });
  const pageToken = await keepPageToken(settings.data);
  const announcement = new Announcement(settings);
  const runsTurns = settings.workers === 1 || cluster.isWorker;
  const observing = await openObserving(settings, { logger, runsTurns });
  const options = {
    ...{ logger, pageToken, onAnswering: announcement.tellAnswering },
    ...(observing.observer === undefined ? {} : { observer: observing.observer }),
  };
  if (settings.workers === 1) {
    void tellNamedServer(settings, logger);
    const { lost } = await runAlone(settings, {
      ...{ ...options, observing },
      announce: (troupe, port) => announcement.announce(troupe, port),
      whenAsked: stopWhenAsked(),
    });
    return void lost.catch((error: unknown) => {
      process.stderr.write(`troupe: ${explain(error)}\n`);
      process.exit(1);
    });
  }
  if (cluster.isWorker)
    return runWorker(settings, options, observing, (troupe, port) => announcement.announce(troupe, port));
  void tellNamedServer(settings, logger);
  const whenAsked = stopWhenAsked();
  const primary = await runPrimary(settings, args, { logger, metrics: observing.metrics });
  if (primary === undefined) process.exitCode = 1;
  else whenAsked({ ...primary, drainMs: settings.drainMs });
}

async function tellNamedServer(settings: Settings, logger: Logger): Promise<void> {
  if (["silent", "fatal", "error"].includes(settings.logLevel)) return;
  using agents = createUpstreamAgents(proxiesOf(settings));
  const onWarning = (warning: string) => logger.warn({}, warning);
  await checkNamedServer(settings, { agents, clock: systemClock, onWarning });
}

/** Stops on signals. If npm or another script runner started the server, also stops once that has ended. */
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
  if (code === "ENOTFOUND" || code === "EADDRNOTAVAIL" || code === "EAI_AGAIN")
    return `HOST: this machine has no such address; write localhost, 0.0.0.0 or one of its own (${message})`;
  if (code === "EACCES" || code === "EROFS") return `no permission: ${message}`;
  return describeCause(error) ?? String(error);
}

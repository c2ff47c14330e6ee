import cluster from "node:cluster";
import { pino } from "pino";
import { systemClock } from "./adapters/system/system-clock.ts";
import { createUpstreamAgents } from "./adapters/upstream/upstream-agents.ts";
import { Announcement } from "./compose/announcement.ts";
import { checkNamedServer } from "./compose/check-named-server.ts";
import { createTroupe, type TroupeOptions } from "./compose/create-troupe.ts";
import { readEnvFile } from "./compose/env-file.ts";
import { listen } from "./compose/listen.ts";
import type { Logger } from "./compose/logger.ts";
import { keepPageToken } from "./compose/page-token.ts";
import { openPrivateFolder } from "./compose/private-folder.ts";
import { proxiesOf } from "./compose/provider-settings.ts";
import { readFlags } from "./compose/read-flags.ts";
import { readSettings } from "./compose/read-settings.ts";
import { runPrimary } from "./compose/run-primary.ts";
import { runWorker } from "./compose/run-worker.ts";
import { SettingError, type Settings } from "./compose/settings.ts";
import { settingsHelp } from "./compose/settings-help.ts";

/** Starts the server as the command line asks; what cannot work ends the process with one clear line and status 1. */
export async function main(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  try {
    if (readFlags(args).help) return void process.stdout.write(`${settingsHelp()}\n`);
    const file = await readEnvFile(process.cwd());
    const { settings, notes } = readSettings(args, { env, fileEnv: file.variables });
    // Each worker reads the same once more.
    if (cluster.isPrimary)
      for (const note of [...file.notes, ...notes]) process.stderr.write(`troupe: ${note}\n`);
    await start(settings, args);
  } catch (error) {
    process.stderr.write(`troupe: ${explain(error)}\n`);
    process.exitCode = 1;
    // A worker's line to the first process would keep it from ending.
    if (cluster.isWorker) process.exit();
  }
}

async function start(settings: Settings, args: readonly string[]): Promise<void> {
  const logger = pino({ level: settings.logLevel }, pino.destination(2));
  if (settings.store === "memory")
    await openPrivateFolder(settings.data, { files: [], onWarning: (warning) => logger.warn({}, warning) });
  const pageToken = await keepPageToken(settings.data);
  const announcement = new Announcement(settings);
  const options = { logger, pageToken, onAnswering: announcement.tellAnswering };
  if (settings.workers === 1) {
    void tellNamedServer(settings, logger);
    return startAlone(settings, options, announcement);
  }
  if (cluster.isWorker)
    return runWorker(settings, options, (troupe, port) => announcement.announce(troupe, port));
  void tellNamedServer(settings, logger);
  const whenAsked = stopOnSignals();
  const primary = await runPrimary(settings, args, logger);
  if (primary === undefined) process.exitCode = 1;
  else whenAsked(primary.stop, primary.kill);
}

async function tellNamedServer(settings: Settings, logger: Logger): Promise<void> {
  if (["silent", "fatal", "error"].includes(settings.logLevel)) return;
  using agents = createUpstreamAgents(proxiesOf(settings));
  const onWarning = (warning: string) => logger.warn({}, warning);
  await checkNamedServer(settings, { agents, clock: systemClock, onWarning });
}

async function startAlone(
  settings: Settings,
  options: TroupeOptions,
  announcement: Announcement,
): Promise<void> {
  const whenAsked = stopOnSignals();
  const troupe = await createTroupe({ ...settings, ...options });
  try {
    const listening = await listen(troupe, settings);
    await announcement.announce(troupe, listening.port);
    whenAsked(() => listening.stop(troupe.close()));
  } catch (error) {
    await troupe.close({ drainMs: 0 });
    throw error;
  }
}

/**
 * From now on the first signal stops in order, the second at once. The result takes what is to be stopped, when there is something: a
 * signal that came before is obeyed then.
 */
function stopOnSignals(): (stop: () => Promise<void>, kill?: () => void) => void {
  const asked = new AbortController();
  let killNow: () => void = () => undefined;
  const obey = () => {
    if (asked.signal.aborted) {
      killNow();
      process.exit(1);
    }
    asked.abort();
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, obey);
  return (stop, kill = killNow) => {
    killNow = kill;
    if (asked.signal.aborted) void stop();
    else asked.signal.addEventListener("abort", () => void stop(), { once: true });
  };
}

function explain(error: unknown): string {
  if (error instanceof SettingError) return error.message;
  const { code, port, message } = error as NodeJS.ErrnoException & { port?: number };
  if (code === "EADDRINUSE") return `port ${port} is in use; choose another with PORT or --port`;
  if (code === "ENOTFOUND" || code === "EADDRNOTAVAIL" || code === "EAI_AGAIN")
    return `HOST: this machine has no such address; write localhost, 0.0.0.0 or one of its own (${message})`;
  if (code === "EACCES" || code === "EROFS") return `no permission: ${message}`;
  return message ?? String(error);
}

import cluster from "node:cluster";
import { systemClock } from "./adapters/system/system.ts";
import { createUpstreamAgents } from "./adapters/upstream/upstream-call.ts";
import { Announcement } from "./compose/announcement.ts";
import { readConfigFile, type TroupeConfig } from "./compose/config-file.ts";
import { describeCause } from "./compose/describe-cause.ts";
import { examineProviders } from "./compose/doctor.ts";
import { readEnvFile } from "./compose/env-file.ts";
import { findRunner } from "./compose/find-runner.ts";
import { checkNamedServer } from "./compose/local-server.ts";
import type { Logger } from "./compose/log-observer.ts";
import { openLog } from "./compose/open-log.ts";
import { openObserving } from "./compose/open-observing.ts";
import { keepPageToken, openPrivateFolder } from "./compose/private-folder.ts";
import { proxiesOf } from "./compose/provider-settings.ts";
import { unusedTransport } from "./compose/providers/endpoints.ts";
import { readFlags } from "./compose/read-flags.ts";
import { readSettings } from "./compose/read-settings.ts";
import { runAlone } from "./compose/run-alone.ts";
import { runBackup } from "./compose/run-backup.ts";
import { runPrimary } from "./compose/run-primary.ts";
import { runWorker } from "./compose/run-worker.ts";
import { SettingError, type Settings, settingsHelp } from "./compose/settings.ts";
import { type Stoppable, stopOnSignals } from "./compose/stop-on-signals.ts";
import type { Troupe } from "./compose/troupe.ts";

/**
 * Starts the server from a command line, copies its database (`backup`) or examines its providers (`doctor`). If it cannot, the process
 * ends with one clear line and status 1.
 */
export async function main(given: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  // A closed pipe or terminal takes nothing more, but the server goes on.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  try {
    const command = readCommand(given);
    const { args } = command;
    if (readFlags(args).help) return void process.stdout.write(`${settingsHelp()}\n`);
    const file = await readEnvFile(process.cwd());
    const { settings, notes } = readSettings(args, { env, fileEnv: file.variables });
    // Each worker reads the same settings again.
    if (cluster.isPrimary)
      for (const note of [...file.notes, ...notes]) process.stderr.write(`troupe: ${note}\n`);
    if (command.name === "backup") {
      await runBackup(command.file, settings, (line) => process.stdout.write(line));
      return;
    }
    const configuration = await readConfigFile(settings.config, { ...file.variables, ...env });
    const unused = unusedTransport(settings, configuration);
    if (unused !== undefined && cluster.isPrimary) process.stderr.write(`troupe: ${unused}\n`);
    if (command.name === "doctor") await examine(settings, configuration);
    else await start({ settings, configuration, args });
  } catch (error) {
    process.stderr.write(`troupe: ${explain(error)}\n`);
    process.exitCode = 1;
    // The channel to the primary process would keep a worker from ending.
    if (cluster.isWorker) process.exit();
  }
}

/** The command, and its flags. */
type Command =
  | { readonly name: "start" | "doctor"; readonly args: readonly string[] }
  | { readonly name: "backup"; readonly args: readonly string[]; readonly file: string | undefined };

function readCommand(given: readonly string[]): Command {
  const [name, ...rest] = given;
  if (name === "doctor") return { name, args: rest };
  if (name !== "backup") return { name: "start", args: given };
  const [file] = rest;
  const hasFile = file !== undefined && !file.startsWith("-");
  return { name, args: hasFile ? rest.slice(1) : rest, file: hasFile ? file : undefined };
}

/** Prints the state of every provider. The process ends with status 1 if none of them can answer. */
async function examine(settings: Settings, configuration: TroupeConfig | undefined): Promise<void> {
  using agents = createUpstreamAgents(proxiesOf(settings));
  const { lines, canAnswer } = await examineProviders({
    settings,
    configuration,
    agents,
    clock: systemClock,
  });
  process.stdout.write(`${lines.join("\n")}\n`);
  if (!canAnswer) process.exitCode = 1;
}

interface StartOptions {
  readonly settings: Settings;
  /** The content of the config file. */
  readonly configuration: TroupeConfig | undefined;
  readonly args: readonly string[];
}

async function start({ settings, configuration, args }: StartOptions): Promise<void> {
  const logger = openLog(settings);
  const hasFolderOnly = settings.store === "memory" || settings.databaseUrl !== undefined;
  if (hasFolderOnly && cluster.isPrimary)
    await openPrivateFolder(settings.data, { files: [], onWarning: (warning) => logger.warn({}, warning) });
  const pageToken = await keepPageToken(settings.data);
  const announcement = new Announcement(settings);
  const runsTurns = settings.workers === 1 || cluster.isWorker;
  const observing = await openObserving(settings, { configuration, logger, runsTurns });
  const serving = {
    ...{ logger, pageToken, observing, onAnswering: announcement.tellAnswering },
    ...(configuration === undefined ? {} : { configuration }),
    ...(observing.observer === undefined ? {} : { observer: observing.observer }),
    announce: (troupe: Troupe, port: number) => announcement.announce(troupe, port),
  };
  if (settings.workers === 1) {
    void tellNamedServer(settings, logger);
    return endIfLost(await runAlone(settings, { ...serving, whenAsked: stopWhenAsked() }));
  }
  if (cluster.isWorker) return endIfLost(await runWorker(settings, serving));
  void tellNamedServer(settings, logger);
  const whenAsked = stopWhenAsked();
  const primary = await runPrimary(settings, args, { configuration, logger, metrics: observing.metrics });
  if (primary === undefined) process.exitCode = 1;
  else whenAsked({ ...primary, drainMs: settings.drainMs, lameDuckMs: settings.lameDuckMs });
}

/** Ends the process when it was taken over as a node and cannot start again. */
function endIfLost({ lost }: { readonly lost: Promise<void> }): void {
  lost.catch((error: unknown) => {
    process.stderr.write(`troupe: ${explain(error)}\n`);
    process.exit(1);
  });
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

import path from "node:path";
import { pino } from "pino";
import { isLoopback } from "./adapters/http/access.ts";
import { createTroupe, type Troupe } from "./compose/create-troupe.ts";
import { type Listening, listen } from "./compose/listen.ts";
import { keepPageToken, writePrivate } from "./compose/page-token.ts";
import { readSettings, SettingError, type Settings, settingsHelp } from "./compose/settings.ts";

/** Starts the server as the command line asks; what cannot work ends the process with one clear line and status 1. */
export async function main(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  try {
    const { help, ...settings } = readSettings(args, env);
    if (help) return void process.stdout.write(`${settingsHelp()}\n`);
    await start(settings);
  } catch (error) {
    process.stderr.write(`troupe: ${explain(error)}\n`);
    process.exitCode = 1;
  }
}

async function start(settings: Settings): Promise<void> {
  if (!isLoopback(settings.host) && !settings.allowAnonymous && settings.apiKeys.length === 0) {
    throw new SettingError(
      `HOST ${settings.host} would let others in without keys; set TROUPE_API_KEYS, or TROUPE_ALLOW_ANONYMOUS=true if that is meant`,
    );
  }
  const logger = pino({ level: settings.logLevel }, pino.destination(2));
  const pageToken = await keepPageToken(settings.data);
  const troupe = await createTroupe({ ...settings, logger, pageToken });
  try {
    await serve(troupe, settings);
  } catch (error) {
    await troupe.close({ drainMs: 0 });
    throw error;
  }
}

async function serve(troupe: Troupe, settings: Settings): Promise<void> {
  const listening = await listen(troupe, settings);
  const host = settings.host.includes(":") ? `[${settings.host}]` : settings.host;
  const diskPage = path.resolve(settings.data, "websocket_test.html");
  await writePrivate(diskPage, await troupe.renderDiskPage(`ws://${host}:${listening.port}/ws`));
  process.stdout.write(
    [
      `Troupe listens on ws://${host}:${listening.port}/ws`,
      `  page      http://${host}:${listening.port}/`,
      `  from disk ${diskPage}`,
      `  provider  ${troupe.providerSummary}`,
      "",
    ].join("\n"),
  );
  stopOnSignals(troupe, listening);
}

/** The first signal stops in order, the second at once. */
function stopOnSignals(troupe: Troupe, listening: Listening): void {
  let stopping = false;
  const stop = async () => {
    if (stopping) process.exit(1);
    stopping = true;
    const stopped = listening.stop();
    await troupe.close();
    await stopped;
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop());
}

function explain(error: unknown): string {
  if (error instanceof SettingError) return error.message;
  const { code, port, message } = error as NodeJS.ErrnoException & { port?: number };
  if (code === "EADDRINUSE") return `port ${port} is in use; choose another with PORT or --port`;
  if (code === "EACCES" || code === "EROFS") return `no permission: ${message}`;
  return message ?? String(error);
}

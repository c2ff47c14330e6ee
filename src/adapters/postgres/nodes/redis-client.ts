import type { Redis, RedisOptions } from "ioredis";

interface RedisClientOptions {
  /** `redis://` or `rediss://` (TLS), with the user and the password. */
  readonly url: string;
  /** The channels to listen to. */
  readonly channels: readonly string[];
  /** Gives up while the connections open. */
  readonly signal: AbortSignal;
  readonly onPayload: (payload: Buffer) => void;
  /** Called once, when a connection has ended without `drop`. */
  readonly onEnd: (cause: Error) => void;
}

/** Two connections, because one that listens can send nothing. */
export interface RedisClient {
  /** Rejects if the message was not taken. */
  publish(channel: string, payload: string): Promise<unknown>;
  /** Ends both connections at once, even if the other side does not answer. */
  drop(): void;
}

const defaultPort = 6_379;
const connectMs = 5_000;
/** How long a connection that is dropped waits for the other side, milliseconds. */
const disconnectMs = 100;
/** A cause is for the operator's log, characters. */
const maxCause = 200;

/** Connects once, and listens. Rejects with an error that has no secret in it. The caller connects again. */
export async function openRedisClient(options: RedisClientOptions): Promise<RedisClient> {
  const { url, channels, signal, onPayload, onEnd } = options;
  const { Redis } = await import("ioredis");
  const connections: Redis[] = [];
  let cause: Error | undefined;
  let isOver = false;

  const drop = (): void => {
    isOver = true;
    for (const connection of connections) connection.disconnect();
  };
  const end = (): void => {
    if (isOver) return;
    drop();
    onEnd(cause ?? new Error("the connection was closed"));
  };
  async function connect(): Promise<Redis> {
    const connection = new Redis(optionsOf(url));
    connections.push(connection);
    connection.on("error", (fault: unknown) => {
      cause ??= withoutSecret(fault, url);
    });
    await connection.connect();
    connection.on("end", end);
    return connection;
  }

  signal.addEventListener("abort", drop);
  try {
    const [listening, sending] = await Promise.all([connect(), connect()]);
    listening.on("messageBuffer", (_channel: Buffer, payload: Buffer) => {
      if (!isOver) onPayload(payload);
    });
    await listening.subscribe(...channels);
    return { publish: (channel, payload) => sending.publish(channel, payload), drop };
  } catch (fault) {
    drop();
    throw signal.aborted ? signal.reason : (cause ?? withoutSecret(fault, url));
  } finally {
    signal.removeEventListener("abort", drop);
  }
}

/** Every failure ends a connection: no command waits in a queue for the next one, and is sent by it too late. */
function optionsOf(url: string) {
  const { protocol, hostname, port, username, password } = new URL(url);
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? defaultPort : Number(port),
    ...(username === "" ? {} : { username: decodeURIComponent(username) }),
    ...(password === "" ? {} : { password: decodeURIComponent(password) }),
    ...(protocol === "rediss:" ? { tls: {} } : {}),
    connectTimeout: connectMs,
    protocol: 2 as const,
    lazyConnect: true,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    disableClientInfo: true,
    connectionName: "troupe",
    keepAlive: 5_000,
    disconnectTimeout: disconnectMs,
  } satisfies RedisOptions;
}

/** The library's errors have the command as a field, and so the password. Only the sentence is kept. */
function withoutSecret(fault: unknown, url: string): Error {
  const { password } = new URL(url);
  const message = fault instanceof Error ? fault.message || fault.name : String(fault);
  const secrets = [password, decodeURIComponent(password)].filter((secret) => secret !== "");
  return new Error(
    secrets.reduce((text, secret) => text.replaceAll(secret, "***"), message).slice(0, maxCause),
  );
}

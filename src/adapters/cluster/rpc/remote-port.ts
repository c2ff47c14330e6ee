import type { z } from "zod";
import type { Channel } from "./channel.ts";

/** The methods of a port, all of them asynchronous, each with the schema of its arguments. */
export type Methods<P> = {
  readonly [M in keyof P]: P[M] extends (...values: infer V) => Promise<unknown>
    ? z.ZodType<Readonly<V>>
    : never;
};

/**
 * A port whose methods run in the other process. Its errors come back as `channel.ts` encodes them; every method rejects when that process
 * is gone.
 */
export function remotePort<P extends object>(channel: Channel, name: string, methods: Methods<P>): P {
  const calls = Object.keys(methods).map((method) => [
    method,
    (...values: unknown[]) => channel.ask(name, method, values),
  ]);
  // The other side has checked the arguments and runs the port itself, so its answers have the port's types.
  return Object.fromEntries(calls) as P;
}

/** Lets the other process call a port of this one; refuses arguments that do not fit the schemas. */
export function servePort<P extends object>(
  channel: Channel,
  name: string,
  methods: Methods<P>,
  port: NoInfer<P>,
): void {
  const schemas = new Map<string, z.ZodType>(Object.entries(methods));
  channel.serve(name, (method, values) => {
    const schema = schemas.get(method);
    if (schema === undefined) throw new Error(`${name} has no method ${method}`);
    const call = (port as Record<string, (...values: unknown[]) => unknown>)[method];
    return call?.(...(schema.parse(values) as unknown[]));
  });
}

/** Reports the failure of a message that no caller waits for, unless the process is `gone`. */
export function tell(said: Promise<void>, gone: AbortSignal, onFault: (fault: unknown) => void): void {
  said.catch((fault: unknown) => {
    if (!gone.aborted) onFault(fault);
  });
}

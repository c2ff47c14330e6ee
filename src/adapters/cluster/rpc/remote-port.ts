import { z } from "zod";
import type { Channel } from "./channel.ts";

/** The methods of a port, all of them asynchronous, each with the schemas of its arguments and of its answer. */
export type Methods<P> = {
  readonly [M in keyof P]: P[M] extends (...values: infer V) => Promise<infer A>
    ? readonly [values: z.ZodType<Readonly<V>>, answer: z.ZodType<A>]
    : never;
};

/** The answer of a method that returns nothing. */
export const nothing: z.ZodType<void> = z.void();

/**
 * A port whose methods run in the other process. Its errors come back as `channel.ts` encodes them. Every method rejects when that process
 * is gone, and when its answer does not fit the schema.
 */
export function remotePort<P extends object>(channel: Channel, name: string, methods: Methods<P>): P {
  const calls = schemasOf(methods).map(([method, [, answer]]) => [
    method,
    async (...values: unknown[]) => answer.parse(await channel.ask(name, method, values)),
  ]);
  // Each method of the port has its schema, which decides the type of its answer.
  return Object.fromEntries(calls) as P;
}

/** Lets the other process call a port of this one; refuses arguments that do not fit the schemas. */
export function servePort<P extends object>(
  channel: Channel,
  name: string,
  methods: Methods<P>,
  port: NoInfer<P>,
): void {
  const schemas = new Map(schemasOf(methods));
  channel.serve(name, (method, values) => {
    const [schema] = schemas.get(method) ?? [];
    if (schema === undefined) throw new Error(`${name} has no method ${method}`);
    const call = (port as Record<string, (...values: unknown[]) => unknown>)[method];
    return call?.(...(schema.parse(values) as unknown[]));
  });
}

function schemasOf<P>(methods: Methods<P>): [method: string, schemas: readonly [z.ZodType, z.ZodType]][] {
  return Object.entries(methods);
}

/** Reports the failure of a message that no caller waits for, unless the process is `gone`. */
export function tell(said: Promise<void>, gone: AbortSignal, onFault: (fault: unknown) => void): void {
  said.catch((fault: unknown) => {
    if (!gone.aborted) onFault(fault);
  });
}

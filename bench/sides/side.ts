import type { Target } from "../client/target.ts";
import type { ProcessOptions } from "../machine/measured-process.ts";

/** The parts of a run that a side needs. */
export interface SidePlace {
  /** The provider's double, as `http://host:port/v1` or `https://...`. */
  readonly upstreamUrl: string;
  /** The side's own folder, empty. */
  readonly folder: string;
  /** The file of the certificate that the double shows over TLS. */
  readonly certificateFile: string;
  /** Flags for Node itself, for sides that run on Node. */
  readonly nodeFlags: readonly string[];
}

/** One way to bring a provider's streams to clients. */
export interface Side {
  /** Used in the tables and in the arguments of the command. */
  readonly name: string;
  /** Describes the side, with versions. */
  readonly about: string;
  readonly target: Omit<Target, "port">;
  /** Returns why the side can't run on this machine; `undefined` if it can. */
  readonly missing?: () => string | undefined;
  readonly program: (place: SidePlace) => Promise<Omit<ProcessOptions, "isPinned">>;
}

/** The body of a request to the provider's API. */
export const apiQuestion = JSON.stringify({
  model: "gpt-4o-mini",
  input: "Tell me about streams.",
  stream: true,
});

/** This very Node, with the flags that it needs. */
export const node = { command: process.execPath, flags: ["--conditions=troupe-source"] } as const;

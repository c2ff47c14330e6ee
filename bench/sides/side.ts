import type { Target } from "../client/target.ts";
import type { ProcessOptions } from "../machine/measured-process.ts";

/** What a side needs of the run it is part of. */
export interface SidePlace {
  /** The provider's double, as `http://host:port/v1` or `https://...`. */
  readonly upstreamUrl: string;
  /** A folder of the side's own, empty. */
  readonly folder: string;
  /** The certificate that the double shows over TLS, as a file. */
  readonly certificateFile: string;
  /** Flags for Node itself, where the side runs on it. */
  readonly nodeFlags: readonly string[];
}

/** One way to bring a provider's streams to clients. */
export interface Side {
  /** As in the table and in the arguments of the command. */
  readonly name: string;
  /** What it is, with versions. */
  readonly about: string;
  readonly target: Omit<Target, "port">;
  /** Why it can't be had here; undefined where it can. */
  readonly missing?: () => string | undefined;
  readonly program: (place: SidePlace) => Promise<Omit<ProcessOptions, "isPinned">>;
}

/** The body with which the API is asked. */
export const apiQuestion = JSON.stringify({
  model: "gpt-4o-mini",
  input: "Tell me about streams.",
  stream: true,
});

/** Node, as it runs this. */
export const node = { command: process.execPath, flags: ["--conditions=troupe-source"] } as const;

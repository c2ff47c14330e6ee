import type { Socket } from "node:net";
import { ChunkSkimmer } from "./chunk-skimmer.ts";

export type { ChunkSkimmer } from "./chunk-skimmer.ts";
export type { HeldSocket } from "./held-socket.ts";

/** The parts of a connection that Node does not document. */
interface Internals {
  readonly _handle?: { readonly [name: string]: unknown } | null;
}

/**
 * The switch of everything in this folder, which uses parts of Node that are not documented. It reads an answer faster, and never another
 * answer. It turns itself off at the first connection that lacks one of these parts.
 */
export class FastReads {
  #isOn: boolean;
  readonly #onMissing: (warning: string) => void;

  /** `onMissing` is called once, when a part of Node is missing. */
  constructor({
    isOn = true,
    onMissing = () => undefined,
  }: {
    isOn?: boolean;
    onMissing?: (warning: string) => void;
  } = {}) {
    this.#isOn = isOn;
    this.#onMissing = onMissing;
  }

  /** The fast way to read a connection to which a call was just given. `undefined` if it is to be read as Node reads it. */
  open(socket: Socket): ChunkSkimmer | undefined {
    if (!this.#isOn) return undefined;
    const missing = socket.destroyed ? undefined : missingPart(socket);
    if (missing === undefined) return new ChunkSkimmer(socket);
    this.#isOn = false;
    this.#onMissing(`this release of Node lacks ${missing}: answers of providers are read in the slower way`);
    return undefined;
  }
}

function missingPart(socket: Socket): string | undefined {
  const handle = (socket as Internals)._handle;
  if (typeof handle !== "object" || handle === null) return "the handle of a socket";
  for (const name of ["readStart", "readStop"])
    if (typeof handle[name] !== "function") return `${name} of a socket's handle`;
  return socket.listenerCount("data") > 0 ? undefined : "the listener of its HTTP parser";
}

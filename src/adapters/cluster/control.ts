import { z } from "zod";
import type { Methods } from "./remote-port.ts";

/** What the process that started the others hears from them. */
export interface PrimaryControl {
  /** The asking process listens. Answers whether it is the first that does, which tells the user. */
  listening(): Promise<boolean>;
  /** Whether what is new can be kept now. */
  canStore(): Promise<boolean>;
}

/** What a process does for the one that started it. */
export interface WorkerControl {
  /** Stops in order; settles when everything is delivered or given up. */
  stop(): Promise<void>;
}

export const primaryControlMethods: Methods<PrimaryControl> = {
  listening: z.tuple([]),
  canStore: z.tuple([]),
};
export const workerControlMethods: Methods<WorkerControl> = { stop: z.tuple([]) };

import { z } from "zod";
import { type Methods, nothing } from "./remote-port.ts";

/** The methods that the primary process offers to its workers. */
export interface PrimaryControl {
  /** Reports that the worker listens. Returns whether it is the first one, which then tells the user. */
  listening(): Promise<boolean>;
  /** Whether new turns can be stored now. */
  canStore(): Promise<boolean>;
}

/** The methods that a worker offers to the primary process. */
export interface WorkerControl {
  /** Tells other servers that this one stops. Every worker does so before the first one stops, so none sends its clients to another. */
  leave(): Promise<void>;
  /** Stops gracefully; settles when everything is delivered or given up. */
  stop(): Promise<void>;
  /** Its metrics as JSON; empty if it keeps none. */
  metrics(): Promise<string>;
}

export const primaryControlMethods: Methods<PrimaryControl> = {
  listening: [z.tuple([]), z.boolean()],
  canStore: [z.tuple([]), z.boolean()],
};
export const workerControlMethods: Methods<WorkerControl> = {
  leave: [z.tuple([]), nothing],
  stop: [z.tuple([]), nothing],
  metrics: [z.tuple([]), z.string()],
};

import type { Clock } from "../../ports/clock.ts";
import type { ProviderEvent } from "../../ports/provider.ts";
import type { TroupeError } from "../../protocol/errors.ts";
import { callAfterReading } from "../system/system.ts";
import type { AnswerMachine } from "./answer-machine.ts";
import { EventReader, type ReadEvents } from "./event-reader.ts";
import { notAStream } from "./event-stream-parser.ts";
import type { BytesReader, BytesSink } from "./read-on-demand.ts";
import { fromStreamFault, silenceError } from "./stream-error.ts";
import { HttpCall, type UpstreamAgents, type UpstreamCall, type UpstreamFetch } from "./upstream-call.ts";

type Step = IteratorResult<ProviderEvent[], undefined>;

export interface AnswerStreamOptions {
  readonly agents: UpstreamAgents;
  /** The connection that the answer comes over. Default: an HTTP call. */
  readonly call?: UpstreamCall | undefined;
  readonly clock: Clock;
  /** Max wait for the first event. */
  readonly firstByteMs: number;
  /** Max silence between two events. */
  readonly idleMs: number;
  /** Already holds the events that earlier connections have read. */
  readonly machine: AnswerMachine;
  readonly signal: AbortSignal;
  /** Sends the request over the given `fetch`. Rejects if the answer is a refusal. */
  readonly open: (fetch: UpstreamFetch) => Promise<{ readonly contentType: string | undefined }>;
  /** Once `open` has settled: the parameters that the call left out. They are told with the first event. */
  readonly ignored?: () => readonly string[];
  /** Maps an error of `open`. */
  readonly fromOpenFault: (thrown: unknown) => TroupeError;
  /** Maps a thrown error to the one to report; not called for the signal's own reason. */
  readonly toError: (thrown: unknown) => TroupeError;
}

const over: Step = { done: true, value: undefined };

/**
 * Reads one event stream over one connection, one batch per call of `next`. Keeps the contract of `Provider.stream`, but does not
 * reconnect. A batch ends with a checkpoint if the machine has a place to continue from. It is not a generator because `next` is called at
 * every beat: its promise is settled directly where the bytes arrive.
 */
export class AnswerStream
  implements AsyncIterable<ProviderEvent[]>, AsyncIterator<ProviderEvent[]>, BytesSink
{
  readonly #options: AnswerStreamOptions;
  readonly #call: UpstreamCall;
  readonly #events: EventReader;
  readonly #watchdog: Watchdog;
  readonly #onAbort = () => void this.#call.close();
  #body: BytesReader | undefined;
  /** The content type is not that of an event stream. */
  #isMisnamed = false;
  #state: "open" | "at end" | "over" = "open";
  /** Output has come, or a tool is at work. */
  #hasBegun = false;
  /** The first events have come, with the parameters that are ignored. */
  #hasTold = false;
  /** How long the provider may be silent at this point. */
  #limitMs: number;
  #stalled: TroupeError | undefined;
  /** The fault that was read together with the last batch. */
  #failure: { readonly error: unknown } | undefined;
  #resolve: (step: Step) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(options: AnswerStreamOptions) {
    this.#options = options;
    const { agents, call, clock, firstByteMs, idleMs, machine } = options;
    this.#call = call ?? new HttpCall(agents);
    this.#events = new EventReader(machine);
    this.#limitMs = firstByteMs;
    this.#watchdog = new Watchdog(clock, Math.min(firstByteMs, idleMs), () => {
      this.#stalled = silenceError(machine.silent, this.#limitMs, this.#hasBegun, !this.#call.isConnected());
      void this.#call.close();
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Step> {
    if (this.#state === "over") return Promise.resolve(over);
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (this.#body === undefined) this.#begin().catch(this.#fail);
      else this.#goOn();
    });
  }

  async return(): Promise<Step> {
    await this.#end();
    this.#resolve(over);
    return over;
  }

  onBytes(bytes: Uint8Array): void {
    // Bytes that arrived before the abort would still be read, although the connection is closed.
    if (this.#options.signal.aborted) return void this.#fail(undefined);
    this.#give(this.#events.read(bytes));
  }

  onEnd(): void {
    if (this.#options.signal.aborted) return void this.#fail(undefined);
    this.#state = "at end";
    this.#give(this.#events.end());
  }

  /** An answer with its finish reason is whole, although the connection broke before its end. */
  onError(error: unknown): void {
    const last = this.#options.signal.aborted ? undefined : this.#lastEvents();
    if (last === undefined) return void this.#fail(error);
    this.#state = "at end";
    this.#watchdog.rest();
    this.#resolve({ done: false, value: last });
  }

  #give({ events, isProgress, failure }: ReadEvents): void {
    if (isProgress) this.#noteProgress(events);
    if (events.length > 0) {
      this.#failure = failure;
      this.#watchdog.rest();
      const { place, ended } = this.#options.machine;
      const told = this.#hasTold ? events : this.#tellIgnored(events);
      const value: ProviderEvent[] =
        place === undefined || ended ? told : [...told, { type: "checkpoint", place }];
      this.#resolve({ done: false, value });
    } else if (failure !== undefined) {
      void this.#fail(failure.error);
    } else {
      this.#askMore();
    }
  }

  #tellIgnored(events: ProviderEvent[]): ProviderEvent[] {
    this.#hasTold = true;
    const ignored = this.#options.ignored?.() ?? [];
    if (ignored.length === 0) return events;
    return events.map((event) => (event.type === "started" ? { ...event, ignored } : event));
  }

  /**
   * After each event without output, the limit of the first event applies again: the model may still be loading, or reading a long
   * prompt.
   */
  #noteProgress(events: readonly ProviderEvent[]): void {
    const { firstByteMs, idleMs } = this.#options;
    this.#hasBegun ||= events.some(({ type }) => type !== "started");
    this.#limitMs = this.#hasBegun ? idleMs : Math.max(firstByteMs, idleMs);
    this.#watchdog.progress(this.#limitMs);
  }

  /** Asks for the next bytes, unless the body is over. */
  #askMore(): void {
    const { machine } = this.#options;
    if (this.#state === "open") {
      this.#body?.ask();
      return;
    }
    try {
      if (machine.silent && this.#isMisnamed) throw notAStream();
      const last = machine.finish();
      this.#watchdog.rest();
      if (last.length > 0) this.#resolve({ done: false, value: last });
      else void this.#finish();
    } catch (error) {
      void this.#fail(error);
    }
  }

  async #begin(): Promise<void> {
    const { signal, firstByteMs, open, fromOpenFault } = this.#options;
    signal.throwIfAborted();
    signal.addEventListener("abort", this.#onAbort, { once: true });
    this.#watchdog.start(firstByteMs);
    const { contentType = "" } = await open(this.#call.fetch).catch((thrown: unknown) => {
      throw fromOpenFault(thrown);
    });
    // Matters only if the body has no event: servers and proxies send event streams under any content type.
    this.#isMisnamed = !/^text\/event-stream\b/i.test(contentType);
    this.#body = this.#call.read(this);
    this.#body.ask();
  }

  #goOn(): void {
    this.#watchdog.arm();
    if (this.#options.machine.ended) void this.#finish();
    else if (this.#failure !== undefined) void this.#fail(this.#failure.error);
    else this.#askMore();
  }

  async #finish(): Promise<void> {
    await this.#end();
    this.#resolve(over);
  }

  readonly #fail = async (thrown: unknown): Promise<void> => {
    const { signal, toError } = this.#options;
    await this.#end();
    this.#reject(signal.aborted ? signal.reason : toError(this.#stalled ?? fromStreamFault(thrown)));
  };

  /** The last events of an answer that lacks nothing but its end; `undefined` if it lacks more. */
  #lastEvents(): ProviderEvent[] | undefined {
    try {
      this.#events.settle();
      const last = this.#options.machine.finish();
      return last.length > 0 ? last : undefined;
    } catch {
      return undefined; // The fault of the connection says more.
    }
  }

  /** Stops reading. Settles when the connection is closed, or is free for the next call. */
  async #end(): Promise<void> {
    const { signal, machine } = this.#options;
    if (this.#state === "over") return;
    this.#state = "over";
    this.#watchdog.stop();
    signal.removeEventListener("abort", this.#onAbort);
    this.#body?.leave();
    if (machine.ended) this.#call.release();
    else await this.#call.close();
  }
}

/**
 * Watches for silence. Time counts only while it is armed, so that a pausing reader does not make the upstream look silent. Only
 * `progress` restarts the time; a keep-alive comment, for example, does not. It uses one timer at a time, not one per read. Before it
 * expires, the loop reads the bytes that have arrived, because a stalled process finds its timers due before its sockets are read.
 */
export class Watchdog {
  readonly #clock: Clock;
  readonly #minLimitMs: number;
  readonly #onExpire: () => void;
  #cancel: (() => void) | undefined;
  #limitMs: number;
  #leftMs: number;
  #armedAtMs: number | undefined;

  constructor(clock: Clock, minLimitMs: number, onExpire: () => void) {
    this.#clock = clock;
    this.#minLimitMs = minLimitMs;
    this.#onExpire = onExpire;
    this.#limitMs = minLimitMs;
    this.#leftMs = minLimitMs;
  }

  /** Starts watching. */
  start(firstLimitMs: number): void {
    this.#limitMs = firstLimitMs;
    this.#leftMs = firstLimitMs;
    this.#armedAtMs = this.#clock.now();
    this.#watch();
  }

  /** Restarts the time, with this limit from now on. */
  progress(nextLimitMs: number): void {
    this.#limitMs = nextLimitMs;
    this.#leftMs = nextLimitMs;
    if (this.#armedAtMs !== undefined) this.#armedAtMs = this.#clock.now();
  }

  rest(): void {
    if (this.#armedAtMs === undefined) return;
    this.#leftMs -= this.#clock.now() - this.#armedAtMs;
    this.#armedAtMs = undefined;
  }

  arm(): void {
    this.#armedAtMs ??= this.#clock.now();
  }

  stop(): void {
    this.#cancel?.();
  }

  #timeLeft(): number {
    return this.#armedAtMs === undefined
      ? this.#limitMs
      : this.#leftMs - (this.#clock.now() - this.#armedAtMs);
  }

  readonly #watch = (): void => {
    const left = this.#timeLeft();
    this.#cancel =
      left <= 0
        ? callAfterReading(() => this.#decide())
        : this.#clock.callAfter(Math.min(left, this.#minLimitMs), this.#watch);
  };

  #decide(): void {
    if (this.#timeLeft() <= 0) this.#onExpire();
    else this.#watch();
  }
}

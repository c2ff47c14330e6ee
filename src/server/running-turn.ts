import { Cancellation, type TurnSignals } from "../chat/chat-context.ts";
import type { Clock } from "../ports/clock.ts";
import type { LiveTurn } from "../ports/peers.ts";
import { Departure } from "../ports/provider.ts";
import { laneOf, type TurnStep, voiceOf } from "../ports/turn-event.ts";
import type { TurnLog, TurnRecord } from "../ports/turn-log.ts";
import type { ResumableRequest, TurnRequest, WhenUnwatched } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";

/** A running turn, with everything that can be done to it from outside. */
export interface RunningTurn extends LiveTurn {
  readonly conversationId: string | undefined;
  readonly signals: TurnSignals;
  /** Aborts when the turn has ended. */
  readonly ended: AbortSignal;
  /**
   * Stops the turn, or all lanes of one persona. A second stop changes nothing.
   * Throws `persona_not_found` for a persona without a lane in the turn, and `request_ended` if all its lanes have ended.
   */
  cancel(personaId?: string): void;
  /** Stops the turn, or all lanes of one persona, before anything of it has run. */
  refuse(personaId?: string): void;
  /** Ends the turn with an error. */
  fail(error: TroupeError): void;
  /** Stops the turn as if this process had died: nothing more is written, and the next process finds it unfinished. */
  leave(): void;
  /** Whether `leave` was called. */
  isLeft(): boolean;
  /** Settles once a checkpoint is stored, from which the answer can be resumed. */
  readonly checkpointed: Promise<void>;
  isCheckpointed(): boolean;
  /** Counts a follower in; the returned function counts it out, once. */
  watch(): () => void;
  /** Notes which lanes have ended. */
  observe(steps: readonly TurnStep[]): void;
  /** Ends everything that was started for the turn: its timers, and a reply that could not be written. */
  dispose(): void;
}

/** A turn with its request and a promise of its end. */
export interface BegunTurn {
  readonly turn: RunningTurn;
  readonly asked: ResumableRequest;
  readonly done: Promise<void>;
}

interface RunningTurnOptions {
  readonly record: TurnRecord;
  readonly log: TurnLog;
  readonly request: TurnRequest;
  readonly conversationId: string | undefined;
  /** The lanes that start with it. */
  readonly lanes: readonly string[];
  readonly whenUnwatched: WhenUnwatched;
  /** The time that followers get to come back, even if `whenUnwatched` is less. Default: none. */
  readonly minAbsenceMs?: () => number;
  readonly turnLimitMs: number;
  readonly clock: Clock;
}

/** The abort reason for any work still running after the turn. */
const over = new TroupeError("interrupted");
/** Made once: an error made while handling a request keeps the request in memory for as long as its signal is referenced. */
const stopped = new Cancellation("The client stopped the request.");
const laneStopped = new Cancellation("The client stopped the lane.");
const unwatched = new Cancellation("The request has no follower any more.");
const departure = new Departure();

/** Every stream has one, so its rare parts are made when they are needed. */
export class TurnInProgress implements RunningTurn {
  readonly record: TurnRecord;
  readonly log: TurnLog;
  readonly request: TurnRequest;
  readonly conversationId: string | undefined;
  readonly #clock: Clock;
  readonly #whenUnwatched: WhenUnwatched;
  readonly #minAbsenceMs: (() => number) | undefined;
  readonly #turn = new AbortController();
  readonly #ended = new AbortController();
  readonly #lanes: Map<string, AbortController>;
  readonly #endLimit: () => void;
  #stoppedPersonas: Set<string> | undefined;
  #endedLanes: Set<string> | undefined;
  #isCheckpointed = false;
  #checkpointed: PromiseWithResolvers<void> | undefined;
  #watchers = 0;
  #stay: (() => void) | undefined;

  constructor(options: RunningTurnOptions) {
    const { record, log, request, conversationId, lanes, turnLimitMs, clock } = options;
    this.record = record;
    this.log = log;
    this.request = request;
    this.conversationId = conversationId;
    this.#clock = clock;
    this.#whenUnwatched = options.whenUnwatched;
    this.#minAbsenceMs = options.minAbsenceMs;
    this.#lanes = new Map(lanes.map((key) => [key, new AbortController()]));
    this.#endLimit = callAfterAwake(clock, turnLimitMs, () =>
      this.#abortConfirmed(this.#turn, new TroupeError("turn_timeout")),
    );
    this.#turn.signal.addEventListener("abort", () => {
      for (const lane of this.#lanes.values()) lane.abort(this.#turn.signal.reason);
    });
  }

  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  get signals(): TurnSignals {
    return {
      signal: this.#turn.signal,
      laneSignal: (key) => this.#lanes.get(key)?.signal ?? this.#laterLane(key),
    };
  }

  cancel(personaId?: string): void {
    if (personaId === undefined) this.#abortConfirmed(this.#turn, stopped);
    else this.#cancelPersona(personaId);
  }

  refuse(personaId?: string): void {
    if (personaId === undefined) {
      this.#turn.abort(stopped);
      return;
    }
    this.#stoppedPersonas = (this.#stoppedPersonas ?? new Set()).add(personaId);
    for (const [key, lane] of this.#lanes) if (voiceOf(key).personaId === personaId) lane.abort(laneStopped);
  }

  fail(error: TroupeError): void {
    this.#turn.abort(error);
  }

  leave(): void {
    this.#turn.abort(departure);
  }

  get checkpointed(): Promise<void> {
    if (this.#isCheckpointed) return Promise.resolve();
    this.#checkpointed ??= Promise.withResolvers<void>();
    return this.#checkpointed.promise;
  }

  isCheckpointed(): boolean {
    return this.#isCheckpointed;
  }

  isLeft(): boolean {
    return this.#turn.signal.reason instanceof Departure;
  }

  watch(): () => void {
    this.#watchers += 1;
    this.#stay?.();
    let watching = true;
    return () => {
      if (!watching) return;
      watching = false;
      this.#unwatch();
    };
  }

  #unwatch(): void {
    this.#watchers -= 1;
    if (this.#watchers > 0 || this.#whenUnwatched === "finish" || this.ended.aborted) return;
    const absenceMs = Math.max(this.#whenUnwatched, this.#minAbsenceMs?.() ?? 0);
    this.#stay = callAfterAwake(this.#clock, absenceMs, () => this.#abortConfirmed(this.#turn, unwatched));
  }

  observe(steps: readonly TurnStep[]): void {
    for (const step of steps) {
      if (step.type === "lane-answer") {
        this.#endedLanes = (this.#endedLanes ?? new Set()).add(laneOf(step.answer));
      } else if (step.type === "checkpoint") {
        this.#isCheckpointed = true;
        this.#checkpointed?.resolve();
      }
    }
  }

  dispose(): void {
    this.#endLimit();
    this.#stay?.();
    this.#ended.abort(over);
    this.#turn.abort(over);
  }

  /** Stops work that a successor of this process may have taken up: a process that stood still does not know of it yet. */
  #abortConfirmed(work: AbortController, reason: unknown): void {
    const abort = () => work.abort(reason);
    // If it does not run here any more, it was left, and that came first.
    if (this.log.confirm === undefined) abort();
    else this.log.confirm().then(abort, abort);
  }

  /** The signal of a lane that starts later than the turn. */
  #laterLane(key: string): AbortSignal {
    const lane = new AbortController();
    this.#lanes.set(key, lane);
    const { personaId } = voiceOf(key);
    const { aborted, reason } = this.#turn.signal;
    if (aborted) lane.abort(reason);
    else if (personaId !== undefined && this.#stoppedPersonas?.has(personaId)) lane.abort(laneStopped);
    return lane.signal;
  }

  #cancelPersona(personaId: string): void {
    const own = [...this.#lanes].filter(([key]) => voiceOf(key).personaId === personaId);
    const running = own.filter(([key]) => this.#endedLanes?.has(key) !== true);
    if (own.length === 0) throw new TroupeError("persona_not_found", { field: "personaId" });
    if (running.length === 0) throw new TroupeError("request_ended", { field: "personaId" });
    this.#stoppedPersonas = (this.#stoppedPersonas ?? new Set()).add(personaId);
    for (const [, lane] of running) this.#abortConfirmed(lane, laneStopped);
  }
}

/** A timer this late does not mean a busy process: the process stood still. */
const asleepMs = 1_000;

/**
 * `Clock.callAfter` for waits in which a client is expected to act. If the process stood still meanwhile (a suspended machine, a
 * debugger), no client could act. It then waits again, for as long as it was late but at most `ms`.
 */
function callAfterAwake(clock: Clock, ms: number, callback: () => void): () => void {
  const dueAtMs = clock.now() + ms;
  let cancel = clock.callAfter(ms, () => {
    const lateMs = clock.now() - dueAtMs;
    if (lateMs < asleepMs) callback();
    else cancel = clock.callAfter(Math.min(ms, lateMs), callback);
  });
  return () => cancel();
}

/** The running turns of this process, and the turns that are about to run. */
export class TurnTable {
  readonly #running = new Map<string, BegunTurn>();
  /** Turns whose log is being made or resumed, with their owners. */
  readonly #beginning = new Map<Promise<unknown>, string>();

  get count(): number {
    return this.#running.size;
  }

  /** All of them, oldest first. */
  all(): BegunTurn[] {
    return [...this.#running.values()];
  }

  find(owner: string, id: string): BegunTurn | undefined {
    return this.#running.get(keyOf(owner, id));
  }

  /** The turns of a conversation, oldest first. */
  in(owner: string, conversationId: string): BegunTurn[] {
    return this.all().filter(
      ({ turn }) => turn.conversationId === conversationId && turn.record.owner === owner,
    );
  }

  add(begun: BegunTurn): void {
    const { owner, id } = begun.turn.record;
    this.#running.set(keyOf(owner, id), begun);
  }

  remove(owner: string, id: string): void {
    this.#running.delete(keyOf(owner, id));
  }

  /** Notes a turn that is about to run. */
  noteBeginning<T>(owner: string, begun: Promise<T>): Promise<T> {
    const noted = begun.finally(() => this.#beginning.delete(noted));
    this.#beginning.set(noted, owner);
    return noted;
  }

  /** Settles when the turns of an owner, or of all owners, that are about to run have started or were refused. */
  async begun(owner?: string): Promise<void> {
    const beginning = [...this.#beginning].filter(([, of]) => owner === undefined || of === owner);
    await Promise.allSettled(beginning.map(([begun]) => begun));
  }

  /** Stops every turn of a conversation; settles when they have ended. */
  async endIn(owner: string, conversationId: string): Promise<void> {
    const stop = () => {
      const begun = this.in(owner, conversationId);
      for (const { turn } of begun) turn.cancel();
      return begun.map(({ done }) => done);
    };
    stop();
    // A turn that has found its conversation but has no log yet is about to run.
    await this.begun(owner);
    await Promise.all(stop());
  }
}

function keyOf(owner: string, id: string): string {
  return `${owner}\n${id}`;
}

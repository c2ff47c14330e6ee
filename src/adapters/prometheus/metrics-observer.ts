import type {
  BreakerChange,
  CallEnd,
  CallFacts,
  ConnectionFacts,
  Fault,
  LaneFailure,
  MessengerChange,
  Observer,
  RecoveredTurns,
  RefusalFacts,
  StorageChange,
  TurnEnd,
  TurnFacts,
} from "../../ports/observer.ts";
import { recordedCost } from "../../ports/usage-store.ts";
import type { Instruments } from "./instruments.ts";

type Told<Name extends keyof Observer, Index extends number> = Parameters<NonNullable<Observer[Name]>>[Index];

/** Providers are endpoints of the settings, codes are of the protocol's tables. The bounds only keep a surprise small. */
const maxProviders = 50;
const maxCodes = 200;

/** Counts and times everything that the observer port tells. Once a beat, turn, call or connection, never for a token. */
export class MetricsObserver implements Observer {
  readonly #instruments: Instruments;
  readonly #model: (name: string) => string;
  readonly #provider = firstNames(maxProviders);
  readonly #code = firstNames(maxCodes);

  constructor(instruments: Instruments, models: Iterable<string>) {
    this.#instruments = instruments;
    this.#model = knownNames(models);
  }

  turnStarted({ kind, waitedMs }: TurnFacts): void {
    this.#instruments.turnsStarted.inc({ kind });
    this.#instruments.turnsRunning.inc();
    this.#instruments.turnWait.observe(waitedMs / 1_000);
  }

  turnEnded(
    { kind }: TurnFacts,
    { outcome, error, durationMs, timeToFirstChunkMs, overheadMs }: TurnEnd,
  ): void {
    const { turnsEnded, turnsRunning, turnDuration, turnFirstChunk, overhead } = this.#instruments;
    turnsEnded.inc({ kind, outcome, code: error === undefined ? "" : this.#code(error.code) });
    turnsRunning.dec();
    turnDuration.observe({ kind }, durationMs / 1_000);
    if (timeToFirstChunkMs !== undefined) turnFirstChunk.observe({ kind }, timeToFirstChunkMs / 1_000);
    if (overheadMs !== undefined) overhead.observe({ kind }, overheadMs / 1_000);
  }

  laneFailed(_: TurnFacts, { error }: LaneFailure): void {
    this.#instruments.lanesFailed.inc({ code: this.#code(error.code) });
  }

  callStarted(): void {
    this.#instruments.callsRunning.inc();
  }

  callEnded({ providerName, requestModel }: CallFacts, end: CallEnd): void {
    const { callsRunning, callRetries, callDuration, callFirstChunk, tokenUsage } = this.#instruments;
    const { callCost, unpricedCalls } = this.#instruments;
    const { errorCode, usage, attempts, durationMs, timeToFirstChunkMs } = end;
    const ofModel = {
      gen_ai_provider_name: this.#provider(providerName),
      gen_ai_request_model: this.#model(requestModel),
    };
    const labels = { gen_ai_operation_name: "chat", ...ofModel };
    callsRunning.dec();
    callRetries.inc(attempts - 1);
    callDuration.observe(
      { ...labels, error_type: errorCode === undefined ? "" : this.#code(errorCode) },
      durationMs / 1_000,
    );
    if (timeToFirstChunkMs !== undefined) callFirstChunk.observe(labels, timeToFirstChunkMs / 1_000);
    if (usage === undefined) return;
    tokenUsage.observe({ ...labels, gen_ai_token_type: "input" }, usage.inputTokens);
    tokenUsage.observe({ ...labels, gen_ai_token_type: "output" }, usage.outputTokens);
    const cost = recordedCost(usage);
    if (cost === undefined) unpricedCalls.inc(ofModel);
    else callCost.inc(ofModel, cost.usd);
  }

  breakerChanged({ providerName, state, code }: BreakerChange): void {
    const { breakerOpenings, breakersOpen } = this.#instruments;
    const ofProvider = { gen_ai_provider_name: this.#provider(providerName) };
    if (state === "open") breakersOpen.inc(ofProvider);
    if (state === "closed") breakersOpen.dec(ofProvider);
    else {
      const reason = state === "open" ? "failures" : "pause";
      breakerOpenings.inc({ ...ofProvider, reason, code: this.#code(code) });
    }
  }

  committed({ events, bytes, durationMs }: Told<"committed", 0>): void {
    this.#instruments.commitDuration.observe(durationMs / 1_000);
    this.#instruments.commitEvents.inc(events);
    this.#instruments.commitBytes.inc(bytes);
  }

  connectionOpened(): void {
    this.#instruments.socketsOpened.inc();
    this.#instruments.socketsOpen.inc();
  }

  connectionClosed(_: ConnectionFacts, { reason }: Told<"connectionClosed", 1>): void {
    this.#instruments.socketsClosed.inc({ reason });
    this.#instruments.socketsOpen.dec();
  }

  refused({ at, code }: RefusalFacts): void {
    this.#instruments.refusals.inc({ at, code: this.#code(code) });
  }

  recovered({ continued, interrupted }: RecoveredTurns): void {
    this.#instruments.turnsRecovered.inc({ outcome: "continued" }, continued);
    this.#instruments.turnsRecovered.inc({ outcome: "interrupted" }, interrupted);
  }

  storageChanged({ state }: StorageChange): void {
    if (state !== "damaged") this.#instruments.storageFailing.set(state === "failing" ? 1 : 0);
  }

  messengerChanged({ state }: MessengerChange): void {
    this.#instruments.redisAway.set(state === "away" ? 1 : 0);
  }

  warned(): void {
    this.#instruments.warnings.inc();
  }

  faulted({ where }: Fault): void {
    this.#instruments.faults.inc({ where });
  }
}

/** The label value of everything that has no place of its own. */
const otherName = "other";

/**
 * Keeps a label to a known set of values. A caller chooses the model of its request, and each value of a label is kept for good. Free
 * text there would fill the memory, and would publish the callers' own words.
 */
function knownNames(known: Iterable<string>): (name: string) => string {
  const names = new Set(known);
  return (name) => (names.has(name) ? name : otherName);
}

/** Keeps a label to the first `max` values, for values of the server's own tables. */
function firstNames(max: number): (name: string) => string {
  const names = new Set<string>();
  return (name) => {
    if (names.has(name)) return name;
    if (names.size >= max) return otherName;
    names.add(name);
    return name;
  };
}

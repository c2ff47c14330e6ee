import type { TroupeError } from "../protocol/errors.ts";
import { type Item, storedItems, textMessage } from "./item.ts";
import { isObject } from "./json.ts";
import {
  check,
  type EarlierCheckpoint,
  isPlain,
  revive,
  toCheckpoint,
  toEvent,
  toStep,
  UnreadableError,
} from "./stored-event.ts";
import {
  eventlessBatch,
  storedCompactedLog,
  storedError,
  storedResumableRequest,
  storedTurnRequest,
} from "./stored-shapes.ts";
import { isReadable, storedVersion } from "./stored-version.ts";
import {
  isTerminal,
  type LaneCheckpoint,
  type TerminalEvent,
  type TurnEvent,
  type TurnStep,
} from "./turn-event.ts";
import type { LaneText, LogBatch, LoggedEvent } from "./turn-log.ts";
import type { ResumableRequest, TurnRequest } from "./turn-request.ts";

/** One append of a turn: its number, the first event's number, the events, and the checkpoints after them. */
export type JournalEntry = readonly [
  turn: number,
  firstSeq: number,
  events: readonly TurnEvent[],
  checkpoints?: readonly LaneCheckpoint[],
];

/** The part of a log that is kept after its time: the texts that `reset` shows, and the terminal event. */
interface CompactedLog {
  readonly throughSeq: number;
  readonly lanes: readonly LaneText[];
  readonly terminal: TerminalEvent;
}

/** Everything that is stored of a turn or sent between processes as JSON. */
type Stored =
  | readonly TurnStep[]
  | JournalEntry
  | CompactedLog
  | ResumableRequest
  | TurnRequest
  | LogBatch
  | TroupeError;

/** Encodes stored content, in the shapes of `storedVersion`. */
export function encodeStored(content: Stored): string {
  return JSON.stringify(content);
}

/** Decodes steps in their order. Throws `UnreadableError`, as all functions here do. */
export function decodeSteps(text: string): TurnStep[] {
  return listOf(parse(text, storedVersion)).map(toStep);
}

/** Decodes the whole log of an ended turn. */
export function decodeLog(text: string, version: number): TurnEvent[] {
  const events = listOf(parse(text, version)).map(toEvent);
  if (events.findIndex(isTerminal) !== events.length - 1 || events.length === 0)
    throw new UnreadableError("its end is not its only terminal event");
  return events;
}

export function decodeCompactedLog(text: string, version: number): CompactedLog {
  const log = parse(text, version);
  check(storedCompactedLog, log);
  const terminal = toEvent(log.terminal, "terminal");
  if (!isTerminal(terminal)) throw new UnreadableError("terminal: it is no terminal event");
  return { ...log, terminal };
}

/** Decodes one batch of a log in another process. */
export function decodeBatch(text: string): LogBatch {
  const batch = parse(text, storedVersion);
  if (isObject(batch) && batch.type === "events") {
    const events = listOf(batch.events).map(toLogged);
    if (events.length === 0) throw new UnreadableError("a batch of no events");
    return { type: "events", events };
  }
  check(eventlessBatch, batch);
  return batch.type === "unkept" ? { ...batch, error: revive(batch.error) } : batch;
}

export function decodeResumableRequest(text: string, version = storedVersion): ResumableRequest {
  const stored = parse(text, version);
  const request =
    version < storedVersion && isObject(stored)
      ? { ...stored, request: upgradeRequest(stored.request, version) }
      : stored;
  check(storedResumableRequest, request);
  return request;
}

/** Decodes the items of a stored message or response. */
export function decodeItems(text: string, version = storedVersion): readonly Item[] {
  const items = parse(text, version);
  check(storedItems, items);
  return items;
}

export function decodeTurnRequest(text: string): TurnRequest {
  const request = parse(text, storedVersion);
  check(storedTurnRequest, request);
  return request;
}

export function decodeError(text: string): TroupeError {
  const error = parse(text, storedVersion);
  check(storedError, error);
  return revive(error);
}

/** A turn's part of one beat of the journal, as far as it can be read. */
export interface DecodedEntry {
  /** `undefined` if not even this can be read. */
  readonly turn: number | undefined;
  readonly firstSeq: number;
  /** The number of its last event; events after a fault are counted, but not read. */
  readonly lastSeq: number;
  readonly events: readonly TurnEvent[];
  readonly checkpoints: readonly (LaneCheckpoint | EarlierCheckpoint)[];
  /** Why not all of the entry was read. */
  readonly fault: UnreadableError | undefined;
}

/**
 * Decodes one beat of the journal. A fault in an entry leaves the others readable. In every version an entry starts with the turn's number,
 * the number of its first event, and its events, so an entry of a later version still tells its turn.
 */
export function decodeBeat(text: string, version: number): DecodedEntry[] {
  return listOf(parseJson(text)).map((entry) => decodeEntry(entry, version));
}

function decodeEntry(entry: unknown, version: number): DecodedEntry {
  const parts: readonly unknown[] = Array.isArray(entry) ? entry : [];
  const turn = parts[0];
  const firstSeq = parts[1];
  const kept = parts[2];
  if (!isNumber(turn)) return faultyEntry(undefined, "an entry names no turn");
  if (!isNumber(firstSeq) || !Array.isArray(kept))
    return faultyEntry(turn, "an entry has no numbered events");
  const lastSeq = firstSeq + kept.length - 1;
  const events: TurnEvent[] = [];
  let checkpoints: DecodedEntry["checkpoints"] = [];
  let fault: UnreadableError | undefined;
  try {
    refuseUnknown(version);
    for (let index = 0; index < kept.length; index += 1) events.push(toEvent(kept[index], index));
    if (parts.length > 3)
      checkpoints = listOf(parts[3]).map((place) => toCheckpoint(place, "checkpoint", version));
  } catch (thrown) {
    if (!(thrown instanceof UnreadableError)) throw thrown;
    fault = thrown;
  }
  return { turn, firstSeq, lastSeq, events, checkpoints, fault };
}

function faultyEntry(turn: number | undefined, fault: string): DecodedEntry {
  return { turn, firstSeq: 0, lastSeq: 0, events: [], checkpoints: [], fault: new UnreadableError(fault) };
}

function parse(text: string, version: number): unknown {
  refuseUnknown(version);
  return parseJson(text);
}

function refuseUnknown(version: number): void {
  if (!isReadable(version))
    throw new UnreadableError(`version ${version} is not known, this program reads up to ${storedVersion}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The cause is left out: V8's error quotes the text.
    throw new UnreadableError("it is not JSON");
  }
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new UnreadableError("it is not a list");
  return value;
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function toLogged(logged: unknown, place: number): LoggedEvent {
  if (isPlainLogged(logged)) return logged;
  if (!isObject(logged) || !isNumber(logged.seq)) throw new UnreadableError(`${place}: it has no number`);
  return { ...logged, seq: logged.seq, event: toEvent(logged.event, place) };
}

function isPlainLogged(logged: unknown): logged is LoggedEvent {
  return isObject(logged) && isNumber(logged.seq) && isPlain(logged.event);
}

/** Brings a request of an earlier version into the shape of this one. It is parsed JSON, which the caller checks afterwards. */
function upgradeRequest(request: unknown, version: number): unknown {
  if (!isObject(request)) return request;
  const { inputText, message, ...rest } = request;
  const text = inputText ?? message;
  const upgraded = typeof text === "string" ? { ...rest, input: [textMessage("user", text)] } : request;
  return version === 1 ? { ...upgraded, ...factsInOptions(rest.options) } : upgraded;
}

/** Reads from the options of a request of version 1 the facts that have fields now. */
function factsInOptions(options: unknown): object {
  const { background, max_output_tokens: maxTokens } = isObject(options) ? options : {};
  return {
    ...(background === true ? { inBackground: true } : {}),
    ...(typeof maxTokens === "number" ? { maxTokens } : {}),
  };
}

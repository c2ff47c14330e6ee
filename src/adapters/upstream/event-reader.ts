import type { ProviderEvent } from "../../ports/provider.ts";
import type { AnswerMachine, OpenText } from "./answer-machine.ts";
import { type DeltaKind, PathScan } from "./event-format.ts";
import { EventStreamParser, notAStream, parseJson, type StreamEvent } from "./event-stream-parser.ts";

/** Max characters of one event, which may hold a whole tool result or the full response. */
const maxEventChars = 16 * 1024 * 1024;
/** Up to this length, a body that is not a stream is tried as JSON before it ends, because its connection may stay open. */
const maxEarlyChars = 65_536;
/** The machine is told of a longer run of matched deltas before the run ends. */
const maxRunChars = 65_536;
const goesOn = { stream: true };

/** The events in one piece of the body. */
export interface ReadEvents {
  /** Adjacent texts are joined, and so are adjacent pieces of reasoning. */
  readonly events: ProviderEvent[];
  /** Whether the piece completed an event, even one without output. */
  readonly isProgress: boolean;
  /** The error after which nothing more of the body can be read. */
  readonly failure?: { readonly error: unknown };
}

/**
 * Reads the bytes of an answer, in pieces that may be cut anywhere. Events before an error in the same piece are returned beside the
 * error, so the shown text does not depend on how the network cuts the body. The first character decides whether the body is an event
 * stream, because servers and proxies send wrong content types, or none.
 */
export class EventReader {
  readonly #machine: AnswerMachine;
  readonly #parser = new EventStreamParser({ maxEventChars });
  readonly #scan: PathScan<OpenText>;
  readonly #decoder = new TextDecoder();
  #events: ProviderEvent[] = [];
  /** Text of deltas that is not in `#events` yet. */
  #text = "";
  #kind: DeltaKind = "text";
  /** The matched deltas of this piece. */
  #matched = "";
  /** The matched deltas of earlier pieces of which the machine has not been told, and the text that all of them extend. */
  #run: string[] = [];
  #runChars = 0;
  #openText: OpenText | undefined;
  /** The deltas do not say which text is theirs. */
  #isLoose = false;
  #isProgress = false;
  #isStream: boolean | undefined;
  /** The text of a body that is not a stream. */
  #body = "";

  constructor(machine: AnswerMachine) {
    this.#machine = machine;
    this.#scan = new PathScan(machine.format);
  }

  read(bytes: Uint8Array): ReadEvents {
    try {
      this.#take(this.#decoder.decode(bytes, goesOn));
    } catch (error) {
      return this.#collect({ error });
    }
    return this.#collect(undefined);
  }

  /** Ends the body: reads the event or the object that its last piece left open. */
  end(): ReadEvents {
    try {
      this.#take(this.#decoder.decode());
      this.settle();
      if (this.#body !== "") this.#give(this.#machine.acceptWhole(this.#body));
      else for (const event of this.#parser.end()) this.#acceptLast(event);
    } catch (error) {
      return this.#collect({ error });
    }
    return this.#collect(undefined);
  }

  /**
   * Tells the machine of all matched deltas. That is done once for many pieces, because each piece would else be held in a second text. A
   * body that breaks off is to be settled before its machine is asked for anything.
   */
  settle(): void {
    this.#showMatched();
    if (this.#run.length === 0) return;
    const run = this.#run.join("");
    this.#run = [];
    this.#runChars = 0;
    this.#openText?.append(run);
  }

  #collect(failure: { readonly error: unknown } | undefined): ReadEvents {
    if (failure === undefined) this.#showMatched();
    else this.settle();
    this.#endText();
    const collected = { events: this.#events, isProgress: this.#isProgress };
    this.#events = [];
    this.#isProgress = false;
    return failure === undefined ? collected : { ...collected, failure };
  }

  #take(piece: string): void {
    this.#isStream ??= isStreamBegin(piece);
    if (this.#isStream === false) this.#takeBody(piece);
    else this.#accept(piece);
  }

  #takeBody(piece: string): void {
    this.#body += piece;
    if (/^\s*</.test(this.#body) || this.#body.length > maxEventChars) throw notAStream();
    if (this.#body.length > maxEarlyChars || !isJson(this.#body)) return;
    const body = this.#body;
    this.#body = "";
    this.#give(this.#machine.acceptWhole(body));
  }

  /** Processes all events that the piece completes. */
  #accept(piece: string): void {
    for (let at = 0; at < piece.length; ) {
      const matched = this.#parser.isIdle && !this.#machine.ended ? this.#scan.match(piece, at) : -1;
      if (matched >= 0) {
        const { openText, delta } = this.#scan;
        if (openText !== this.#openText) {
          this.settle();
          this.#openText = openText;
        }
        this.#matched += delta;
        this.#isProgress = true;
        at = matched;
      } else {
        at = this.#parseOne(piece, at);
      }
    }
  }

  /** Parses up to the end of an event, and returns the place of that end. */
  #parseOne(piece: string, start: number): number {
    const wasIdle = this.#parser.isIdle;
    const blank = piece.indexOf("\n\n", start);
    const end = blank < 0 ? piece.length : blank + 2;
    const text = piece.slice(start, end);
    for (const event of this.#parser.push(text)) {
      if (isHeartbeat(event, this.#machine.format.mark)) continue;
      this.#isProgress = true;
      this.settle();
      this.#give(this.#machine.accept(event));
      const { openText } = this.#machine;
      if (openText === undefined && this.#isLoose) this.#scan.forget();
      if (openText === undefined || !wasIdle) continue;
      this.#isLoose ||= openText.isLoose;
      this.#scan.learn(text, event.data, openText);
    }
    return end;
  }

  /** Takes the last event of a body that ended inside it. If its JSON is cut, it is ignored. */
  #acceptLast(event: StreamEvent): void {
    const { mark } = this.#machine.format;
    if (isHeartbeat(event, mark) || (event.name !== "error" && !isJson(event.data))) return;
    this.#isProgress = true;
    this.#give(this.#machine.accept(event));
  }

  #give(given: readonly ProviderEvent[]): void {
    for (const event of given) {
      if (event.type === "text" || event.type === "reasoning") {
        this.#addText(event.type, event.text);
      } else {
        this.#endText();
        this.#events.push(event);
      }
    }
  }

  #addText(kind: DeltaKind, text: string): void {
    if (kind !== this.#kind) this.#endText();
    this.#kind = kind;
    this.#text += text;
  }

  #showMatched(): void {
    if (this.#matched === "" || this.#openText === undefined) return;
    const { kind, isShown } = this.#openText;
    this.#run.push(this.#matched);
    this.#runChars += this.#matched.length;
    if (isShown) this.#addText(kind, this.#matched);
    this.#matched = "";
    if (this.#runChars > maxRunChars) this.settle();
  }

  #endText(): void {
    if (this.#text === "") return;
    const text: ProviderEvent = { type: this.#kind, text: this.#text };
    // Nearly every piece holds exactly one text.
    if (this.#events.length === 0) this.#events = [text];
    else this.#events.push(text);
    this.#text = "";
  }
}

/** `undefined` until a character other than white space has come. */
function isStreamBegin(piece: string): boolean | undefined {
  const first = /\S/.exec(piece)?.[0];
  return first === undefined ? undefined : !"{[<".includes(first);
}

/** Whether a text is a complete JSON object or list. */
function isJson(text: string): boolean {
  return /[}\]]\s*$/.test(text) && parseJson(text) !== undefined;
}

/** Longer data is not a heartbeat and is not examined. */
const maxHeartbeatChars = 256;
const word = "(ping|pong|heartbeat|keep[-_ ]?alive)";
const named = new RegExp(`^${word}$`, "i");
/** `{"type":"keepalive","sequence_number":7}` and the like. */
const typed = new RegExp(`^\\s*\\{.*"type"\\s*:\\s*"${word}".*\\}\\s*$`, "is");
/**
 * Data without information: no data, empty JSON, a heartbeat's name as a bare word or as a JSON string, or a comment after `data:`. The
 * gateway mnfst/llm-gateway forwards OpenRouter's comments in that form.
 */
const empty = new RegExp(`^\\s*(|null|\\{\\s*\\}|\\[\\s*\\]|""|:.*|"?${word}"?)\\s*$`, "is");

/**
 * Whether an event only keeps its connection open. It does not show that the model is working, and it is not an error. An event with
 * `mark` is part of an answer, under any name.
 */
export function isHeartbeat({ name, data }: StreamEvent, mark: RegExp): boolean {
  if (name === "error" || data.length > maxHeartbeatChars) return false;
  return empty.test(data) || ((named.test(name) || typed.test(data)) && !mark.test(data));
}

import type { JsonObject } from "../ports/json.ts";
import type { ProviderRequest, Usage } from "../ports/provider.ts";
import type { AnswerSource, RepeatedAttempt, TurnEvent, TurnStep } from "../ports/turn-event.ts";
import type { Emit, TurnContext } from "./chat-context.ts";
import { answerTooLarge } from "./meter.ts";
import type { PacedEvent } from "./pacing/pace.ts";
import type { BegunLane } from "./recovered-lanes.ts";
import type { ChainStep } from "./retry.ts";

type PacedText = Extract<PacedEvent, { type: "text" }>;

/** The facts about a lane that its steps depend on; see `Lane`. */
interface LaneStepsOptions {
  readonly lane: {
    readonly key?: string;
    readonly conversationId?: string;
    readonly showText: boolean;
    readonly isFull: () => boolean;
    readonly begun?: BegunLane | undefined;
    readonly emitEnd?: TurnContext["emitWithNext"];
  };
  readonly simulated: boolean;
  /** The usage so far if it is to be told now. Asked once for each batch that shows text, if the client wants it. */
  readonly runningUsage?: (() => Usage | undefined) | undefined;
  /** Stops the lane's call if the log is full. */
  readonly stop: AbortController;
  readonly emit: Emit;
}

/** One of the lane's calls, as far as it is shown. */
interface ShownCall {
  /** Number of the call in its lane, from 0. */
  readonly index: number;
  /** The usage of the calls before it. */
  readonly earlierUsage: Usage | undefined;
  /** The links of its chain that it has gone to since it was last told. */
  readonly chainSteps: readonly ChainStep[];
  /**
   * Asked once, before the call's last text is shown: the request of the call that follows it. `text` is all that it has said. Undefined
   * if none ever follows.
   */
  readonly nextRequest: ((text: string) => ProviderRequest | undefined) | undefined;
}

/** The steps of one lane: it turns the paced events of its calls into one text with its statuses, and puts them into the log. */
export class LaneSteps {
  /** The response object that the current call's vendor sent first. */
  snapshot: JsonObject | undefined;
  /** The parameters that the current call goes without. */
  #ignored: readonly string[] | undefined;
  /** The request of the next call; known once the current call has shown its last text. */
  nextRequest: ProviderRequest | undefined;
  readonly #options: LaneStepsOptions;
  readonly #name: { readonly lane?: string };
  /** The text so far, of all calls together. Its pieces are the log's own strings: a text made of them would be kept beside them. */
  #pieces: string[];
  #textUnits: number;
  #call: ShownCall | undefined;
  /** Whether a script answers instead of a model. */
  #simulated: boolean;
  /** The text before the current call, in code units. */
  #callTextUnits: number;
  #reasoningUnits: number;
  #toolEvents: number;
  /** The parts of the lane before the events that the current call yields. */
  #before = { textUnits: 0, reasoningUnits: 0, toolEvents: 0 };
  /** The current call has shown text. */
  #isStreaming: boolean;
  /** The log is full: only the answer's end is shown from now on. */
  #isFull = false;
  #hasFinal: boolean;
  /** Steps that go into the log together with the next ones. */
  #waiting: TurnStep[];

  constructor(options: LaneStepsOptions) {
    const { key, begun, conversationId, showText } = options.lane;
    this.#options = options;
    this.#simulated = options.simulated;
    this.#name = key === undefined ? {} : { lane: key };
    this.#pieces = [begun?.text ?? ""];
    this.#textUnits = this.text.length;
    this.#callTextUnits = begun?.callTextUnits ?? 0;
    this.#reasoningUnits = begun?.reasoningUnits ?? 0;
    this.#toolEvents = begun?.toolEvents ?? 0;
    this.#isStreaming = this.#textUnits > this.#callTextUnits;
    this.#hasFinal = begun?.ended === true;
    const starting = {
      ...this.#status("starting"),
      ...(conversationId === undefined ? {} : { conversationId }),
      ...(showText ? {} : { showsText: false }),
    };
    this.#waiting = [starting];
  }

  get text(): string {
    if (this.#pieces.length > 1) this.#pieces = [this.#pieces.join("")];
    return this.#pieces[0] ?? "";
  }

  /** Tells that a call is made, or that another link makes it. Settles when that is in the log. */
  async startCall(call: ShownCall): Promise<void> {
    this.nextRequest = undefined;
    const isTold = this.#call?.index === call.index;
    if (isTold) this.#takeBackEnd();
    const isResumed = this.#call === undefined && this.#options.lane.begun !== undefined;
    this.#call = call;
    this.#before = {
      textUnits: this.#textUnits,
      reasoningUnits: this.#reasoningUnits,
      toolEvents: this.#toolEvents,
    };
    const steps = [...this.#waiting, ...(isTold ? [] : [this.#status("processing")])];
    steps.push(...call.chainSteps.map((step) => this.#moved(step)));
    this.#waiting = [];
    // The process that started the call has told it.
    if (isResumed) return;
    this.#callTextUnits = this.#textUnits;
    this.#isStreaming = false;
    this.snapshot = undefined;
    await this.#options.emit(steps);
  }

  /** A failed call has ended the text, but nothing of it was shown: another link makes the call. */
  #takeBackEnd(): void {
    this.#waiting = [];
    this.#hasFinal = false;
  }

  /** Shows the events of one moment. The last text of a completed call waits for the steps that follow it, to share their commit. */
  readonly show = (paced: PacedEvent[]): Promise<void> => {
    const last = paced.at(-1);
    const isLast = last?.type === "text" && last.final && !this.#options.stop.signal.aborted;
    if (isLast) this.nextRequest = this.#call?.nextRequest?.(this.#callTextWith(paced));
    const goesOn = isLast && this.nextRequest !== undefined;
    const batch = goesOn ? paced.with(-1, { ...last, final: false }) : paced;
    // Nearly every batch is one text, and a list that grows would waste memory on it.
    const [only] = batch;
    const steps =
      batch.length === 1 && only !== undefined ? this.#translate(only) : batch.flatMap(this.#translate);
    const waits = isLast && !this.#options.stop.signal.aborted;
    if (waits) this.#waiting = steps;
    else this.#addUsage(steps);
    return waits || steps.length === 0 ? Promise.resolve() : this.#options.emit(steps);
  };

  /** Tells the usage so far, from the call's first text on: a client sees `streaming` only then. */
  #addUsage(steps: TurnStep[]): void {
    if (this.#options.runningUsage === undefined || !this.#isStreaming || this.#isFull || steps.length === 0)
      return;
    const usage = this.#options.runningUsage();
    if (usage !== undefined) steps.push({ ...this.#status("streaming"), usage });
  }

  /** The length of the text before the current call. */
  get callStart(): number {
    return this.#callTextUnits;
  }

  /** Ends the lane: its text gets its end if it has none, and a completed lane tells its sources and that it completed. */
  async end(isCompleted: boolean, sources: readonly AnswerSource[]): Promise<void> {
    const steps = this.#waiting;
    if (this.#options.lane.showText && !this.#hasFinal)
      steps.push({ type: "text", ...this.#name, text: "", final: true });
    if (isCompleted && this.#options.lane.begun?.status === undefined) {
      for (const source of sources) steps.push(this.#named({ type: "source", ...source }));
      steps.push(this.#completed());
    }
    const { emit, lane } = this.#options;
    if (isCompleted && lane.emitEnd !== undefined) lane.emitEnd(steps);
    else if (steps.length > 0) await emit(steps);
  }

  #callTextWith(batch: readonly PacedEvent[]): string {
    const rest = batch.map((event) => (event.type === "text" ? event.text : ""));
    return this.text.slice(this.#callTextUnits) + rest.join("");
  }

  #completed(): TurnEvent {
    const ignored = this.#ignored;
    return { ...this.#status("completed"), ...(ignored === undefined ? {} : { ignored }) };
  }

  #status(status: "starting" | "processing" | "streaming" | "completed") {
    return { type: "status" as const, ...this.#name, status, simulated: this.#simulated };
  }

  /** Another link of the chain is asked. */
  #moved({ code, failed, link: { api, model, provider } }: ChainStep): TurnEvent {
    this.#simulated = provider.simulated;
    return this.#again({ attempt: failed, delayMs: 0, code, api, model });
  }

  #again(retry: RepeatedAttempt): TurnEvent {
    const { simulated, ...status } = this.#status("processing");
    return { ...status, retry, simulated };
  }

  readonly #translate = (event: PacedEvent): TurnStep[] => {
    if (this.#isBeyond(event))
      return event.type === "text" && event.final ? this.#textToShow({ ...event, text: "" }) : [];
    switch (event.type) {
      case "checkpoint": {
        const { textUnits, reasoningUnits, toolEvents } = this.#before;
        return [
          {
            ...event,
            ...this.#name,
            textUnits: textUnits + event.textUnits,
            reasoningUnits: reasoningUnits + event.reasoningUnits,
            toolEvents: toolEvents + event.toolEvents,
            ...this.#placeOfCall(),
          },
        ];
      }
      case "started":
        this.snapshot = event.response;
        this.#ignored = event.ignored;
        return [];
      case "retrying": {
        const { attempt, delayMs, code } = event;
        // The attempt that sent the snapshot is void.
        this.snapshot = undefined;
        return [this.#again({ attempt, delayMs, code })];
      }
      case "text": {
        this.#pieces.push(event.text);
        this.#textUnits += event.text.length;
        const isFirst = !this.#isStreaming && event.text !== "";
        this.#isStreaming ||= isFirst;
        const shown = this.#textToShow(event);
        return isFirst ? [this.#status("streaming"), ...shown] : shown;
      }
      case "reasoning":
        this.#reasoningUnits += event.text.length;
        return [this.#named(event)];
      default:
        this.#toolEvents += 1;
        return [this.#named(event)];
    }
  };

  #named<Event extends object>(event: Event): Event {
    return this.#options.lane.key === undefined ? event : { ...event, ...this.#name };
  }

  /** Nothing if the lane keeps its text to itself or has had its last text. An empty text is shown only as the last. */
  #textToShow(event: PacedText): TurnEvent[] {
    const { text, final } = event;
    if (!this.#options.lane.showText || this.#hasFinal || (text === "" && !final)) return [];
    this.#hasFinal = final;
    return [this.#named(event)];
  }

  /** The first call has no number in its checkpoints, so they are as they were when a lane made one call. */
  #placeOfCall() {
    const { index = 0, earlierUsage } = this.#call ?? {};
    if (index === 0) return {};
    return { call: index, ...(earlierUsage === undefined ? {} : { earlierUsage }) };
  }

  /** Whether to drop an event because the log is full. */
  #isBeyond({ type }: PacedEvent): boolean {
    if (type !== "text" && type !== "reasoning" && type !== "tool") return this.#isFull;
    this.#isFull ||= this.#options.lane.isFull();
    if (this.#isFull) this.#options.stop.abort(answerTooLarge);
    return this.#isFull;
  }
}

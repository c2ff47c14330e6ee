import type { ProviderEvent } from "../ports/provider.ts";
import { chunkEnd, settledLength } from "./graphemes.ts";

/** What waits between a provider and the log, beside the text: it keeps its place in the order. */
export type SideEvent = Exclude<ProviderEvent, { type: "text" } | { type: "end" }>;

/** Text that arrived together: `end` is where it ends in its run, in code units. */
interface Arrival {
  end: number;
  readonly atMs: number;
}

interface TextRun {
  readonly type: "run";
  text: string;
  arrivals: Arrival[];
}

/** Arrivals closer together than this are timed as one, so that the list stays short. */
const arrivalGrainMs = 25;

/** Text and side events in their order, with the time at which each piece of text came. */
export function createTextQueue() {
  const items: (TextRun | SideEvent)[] = [];
  let chars = 0;

  function headRun(): TextRun | undefined {
    const head = items[0];
    return head?.type === "run" ? head : undefined;
  }

  return {
    /** Code units that wait. */
    get chars(): number {
      return chars;
    },
    get empty(): boolean {
      return items.length === 0;
    },

    pushText(text: string, atMs: number): void {
      if (text === "") return;
      chars += text.length;
      const last = items.at(-1);
      if (last?.type !== "run") {
        items.push({ type: "run", text, arrivals: [{ end: text.length, atMs }] });
        return;
      }
      last.text += text;
      const arrival = last.arrivals.at(-1);
      if (arrival !== undefined && atMs - arrival.atMs < arrivalGrainMs) arrival.end = last.text.length;
      else last.arrivals.push({ end: last.text.length, atMs });
    },

    pushEvent(event: SideEvent): void {
      items.push(event);
    },

    /** The side events before the next text. */
    takeEvents(): SideEvent[] {
      const taken: SideEvent[] = [];
      while (items[0] !== undefined && items[0].type !== "run") taken.push(items.shift() as SideEvent);
      return taken;
    },

    /** How many code units of the next run may be shown; a run that something follows is settled in full. */
    showable(moreMayFollow: boolean): number {
      const run = headRun();
      if (run === undefined) return 0;
      return moreMayFollow && items.length === 1 ? settledLength(run.text) : run.text.length;
    },

    /** When the oldest waiting text came. */
    oldestMs(): number | undefined {
      return headRun()?.arrivals[0]?.atMs;
    },

    /** The waiting text of the next run as it came: how much up to each arrival, and when. */
    arrivals(): readonly Arrival[] {
      return headRun()?.arrivals ?? [];
    },

    /** Takes at most `maxCodePoints` of the next run's first `limit` code units. */
    takeChunk(maxCodePoints: number, limit: number): string {
      const run = headRun();
      if (run === undefined) return "";
      const end = chunkEnd(limit < run.text.length ? run.text.slice(0, limit) : run.text, maxCodePoints);
      const chunk = run.text.slice(0, end);
      chars -= end;
      if (end === run.text.length) {
        items.shift();
      } else {
        run.text = run.text.slice(end);
        run.arrivals = run.arrivals.filter((arrival) => arrival.end > end);
        for (const arrival of run.arrivals) arrival.end -= end;
      }
      return chunk.isWellFormed() ? chunk : chunk.toWellFormed();
    },
  };
}

export type TextQueue = ReturnType<typeof createTextQueue>;

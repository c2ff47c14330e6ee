import type { ProviderEvent } from "../../ports/provider.ts";
import { createEventStreamParser } from "../upstream/event-stream-parser.ts";
import type { ResponsesMachine } from "./responses-machine.ts";

/** One event may hold a whole tool result or the full response; more than this is no answer. */
const mostEventChars = 16 * 1024 * 1024;

/**
 * One batch per read of the body. What came before an error in the same read is yielded before the error is thrown, so that
 * where the network cuts its packets never decides what is shown. `onProgress` hears of every read that held an event.
 */
export async function* readEvents(
  body: AsyncIterable<Uint8Array>,
  machine: ResponsesMachine,
  onProgress: () => void,
): AsyncGenerator<ProviderEvent[]> {
  const parse = createEventStreamParser({ mostEventChars });
  const decoder = new TextDecoder();
  for await (const bytes of body) {
    const data = parse(decoder.decode(bytes, { stream: true }));
    if (data.length > 0) onProgress();
    const events: ProviderEvent[] = [];
    let failure: { error: unknown } | undefined;
    for (const item of data) {
      try {
        events.push(...machine.accept(item));
      } catch (error) {
        failure = { error };
        break;
      }
    }
    if (events.length > 0) yield events;
    if (failure !== undefined) throw failure.error;
  }
}

/** Maximum waiting values, and their maximum size in the unit of `sizeOf`. Beyond either, the source is not asked for more. */
const mostWaiting = 4_096;
const maxWaitingSize = 262_144;

/**
 * Reads a source ahead of its reader. All waiting values form one batch. Ending it ends the source, and settles once the source has
 * ended.
 */
export async function* readAhead<T>(
  source: AsyncIterable<T[]>,
  sizeOf: (value: T) => number,
): AsyncGenerator<T[]> {
  let waiting: T[] = [];
  let waitingSize = 0;
  let end: { readonly failure?: unknown } | undefined;
  let isLeft = false;
  let arrived = Promise.withResolvers<void>();
  let taken = Promise.withResolvers<void>();

  async function read(): Promise<void> {
    try {
      for await (const batch of source) {
        for (const value of batch) {
          waiting.push(value);
          waitingSize += sizeOf(value);
        }
        arrived.resolve();
        while ((waiting.length > mostWaiting || waitingSize > maxWaitingSize) && !isLeft) {
          taken = Promise.withResolvers();
          await taken.promise;
        }
        if (isLeft) break;
      }
      end = {};
    } catch (failure) {
      end = { failure };
    }
    arrived.resolve();
  }

  const reading = read();
  try {
    for (;;) {
      arrived = Promise.withResolvers();
      if (waiting.length > 0) {
        const batch = waiting;
        waiting = [];
        waitingSize = 0;
        taken.resolve();
        yield batch;
      } else if (end === undefined) {
        await arrived.promise;
      } else {
        if ("failure" in end) throw end.failure;
        return;
      }
    }
  } finally {
    isLeft = true;
    taken.resolve();
    await reading;
  }
}

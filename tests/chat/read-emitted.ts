/** Thrown into the emitting function when its reader leaves. */
class ReaderLeft extends Error {
  override readonly name = "ReaderLeft";
}

/**
 * Reads the emitted values one at a time, as slowly as the reader asks. A value counts as taken when the reader asks for
 * the next one. Leaving the loop makes the next emit reject.
 */
export async function* readEmitted<T, R>(
  start: (emit: (value: T) => Promise<void>) => Promise<R>,
): AsyncGenerator<T, R> {
  let arrived = Promise.withResolvers<{ readonly value: T; readonly taken: PromiseWithResolvers<void> }>();
  const running = start((value) => {
    const taken = Promise.withResolvers<void>();
    arrived.resolve({ value, taken });
    return taken.promise;
  });
  const over = running.then((result) => ({ result }));
  for (;;) {
    const step = await Promise.race([arrived.promise, over]);
    if ("result" in step) return step.result;
    arrived = Promise.withResolvers();
    let isTaken = false;
    try {
      yield step.value;
      isTaken = true;
    } finally {
      if (isTaken) step.taken.resolve();
      else step.taken.reject(new ReaderLeft());
      if (!isTaken) await running.catch(() => undefined);
    }
  }
}

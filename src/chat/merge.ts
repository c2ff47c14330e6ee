/**
 * Runs several generators side by side and yields what each yields, in the order in which it comes; returns their results by
 * index. A generator is not asked for more before its last value was consumed. If one throws, the others are ended and the
 * error goes on.
 */
export async function* merge<T, R>(sources: readonly AsyncGenerator<T, R>[]): AsyncGenerator<T, R[]> {
  const results: R[] = [];
  const pending = new Map<number, Promise<{ index: number; step: IteratorResult<T, R> }>>();
  const ask = (index: number, source: AsyncGenerator<T, R>) => {
    pending.set(
      index,
      source.next().then((step) => ({ index, step })),
    );
  };
  try {
    sources.forEach((source, index) => {
      ask(index, source);
    });
    while (pending.size > 0) {
      const { index, step } = await Promise.race(pending.values());
      pending.delete(index);
      if (step.done === true) {
        results[index] = step.value;
        continue;
      }
      yield step.value;
      const source = sources[index];
      if (source !== undefined) ask(index, source);
    }
    return results;
  } finally {
    const left = [...pending.values()];
    await Promise.allSettled(left);
    await Promise.allSettled(sources.map((source) => source.return(undefined as R)));
  }
}

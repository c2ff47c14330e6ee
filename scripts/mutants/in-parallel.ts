/** Runs a task for each item, one at a time per worker, and returns the results in the order of the items. */
export async function inParallel<Item, Worker, Result>(
  items: readonly Item[],
  workers: readonly Worker[],
  task: (item: Item, worker: Worker) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  // All workers take from the same iterator, so each item goes to exactly one worker.
  const queue = items.entries();
  const settled = await Promise.allSettled(
    workers.map(async (worker) => {
      for (const [index, item] of queue) results[index] = await task(item, worker);
    }),
  );
  // The other workers have finished too, so they can be disposed of.
  for (const outcome of settled) if (outcome.status === "rejected") throw outcome.reason;
  return results;
}

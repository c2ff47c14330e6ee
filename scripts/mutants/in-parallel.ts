/** Does a task for each item, at any time one per worker, and gives back the results in the order of the items. */
export async function inParallel<Item, Worker, Result>(
  items: readonly Item[],
  workers: readonly Worker[],
  task: (item: Item, worker: Worker) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  // All workers take from the same iterator, so each item goes to one of them.
  const queue = items.entries();
  const settled = await Promise.allSettled(
    workers.map(async (worker) => {
      for (const [index, item] of queue) results[index] = await task(item, worker);
    }),
  );
  // The others have come to rest as well, so their workers may be taken away.
  for (const outcome of settled) if (outcome.status === "rejected") throw outcome.reason;
  return results;
}

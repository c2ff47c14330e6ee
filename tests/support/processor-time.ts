/**
 * The mean processor time of `work`, in microseconds. Only this thread counts, so other programs change it little.
 *
 * Linux may count a thread's time only at its clock ticks, 4 or 10 ms apart, so a single short run often counts as 0. The work is
 * therefore repeated until at least `atLeastMs` have been counted: the error is a tick, divided by that.
 */
export async function processorTimeOf(work: () => unknown, atLeastMs: number): Promise<number> {
  const before = process.threadCpuUsage();
  for (let count = 1; ; count += 1) {
    await work();
    const { user, system } = process.threadCpuUsage(before);
    if (user + system >= atLeastMs * 1_000) return (user + system) / count;
  }
}

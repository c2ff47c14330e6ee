/** Says something to another process that nobody waits for. That the process is `gone` is no fault. */
export function tell(said: Promise<void>, gone: AbortSignal, onFault: (fault: unknown) => void): void {
  said.catch((fault: unknown) => {
    if (!gone.aborted) onFault(fault);
  });
}

/** Reports the failure of a message that no caller waits for, unless the process is `gone`. */
export function tell(said: Promise<void>, gone: AbortSignal, onFault: (fault: unknown) => void): void {
  said.catch((fault: unknown) => {
    if (!gone.aborted) onFault(fault);
  });
}

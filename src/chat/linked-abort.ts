/**
 * Makes a controller that also aborts with `signal`, for the same reason. Disposing it ends only that link. `AbortSignal.any` does the
 * same, but its signals check all of their sources each time they are asked whether they are aborted.
 */
export function linkAbort(signal: AbortSignal): AbortController & Disposable {
  const controller = new AbortController();
  const follow = () => controller.abort(signal.reason);
  if (signal.aborted) follow();
  else signal.addEventListener("abort", follow, { once: true });
  return Object.assign(controller, {
    [Symbol.dispose]: () => signal.removeEventListener("abort", follow),
  });
}

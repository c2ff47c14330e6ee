/**
 * A controller of one's own that aborts with `signal` as well, with its reason. Disposing it ends only that link. `AbortSignal.any` does
 * the same, but its signals look at all their sources whenever they are asked whether they are aborted.
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

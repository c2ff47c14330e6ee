import {
  isShown,
  type Provider,
  type ProviderCall,
  type ProviderEvent,
  type ProviderRequest,
} from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { Circuits, WatchedCall } from "./circuits.ts";

/** A provider that is not called while its circuit is open: a call then throws the failure that opened it, with the rest of the time. */
export function guardProvider(provider: Provider, circuits: Circuits): Provider {
  return {
    name: provider.name,
    simulated: provider.simulated,
    outage: (model) => circuits.outage(model),
    // A call that resumes an answer starts none, and only this endpoint has the answer.
    stream: (request, call) =>
      call.from === undefined
        ? new GuardedStream(provider, circuits, { request, call })
        : provider.stream(request, call),
  };
}

interface GuardedCall {
  readonly request: ProviderRequest;
  readonly call: ProviderCall;
}

/** Not a generator: once something was shown, the provider's own promises are returned at no further cost. */
class GuardedStream implements AsyncIterableIterator<ProviderEvent[]> {
  readonly #provider: Provider;
  readonly #circuits: Circuits;
  readonly #guarded: GuardedCall;
  #source: AsyncIterator<ProviderEvent[]> | undefined;
  /** Absent before the first read, and once the outcome is known. */
  #watched: WatchedCall | undefined;

  constructor(provider: Provider, circuits: Circuits, guarded: GuardedCall) {
    this.#provider = provider;
    this.#circuits = circuits;
    this.#guarded = guarded;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<ProviderEvent[]>> {
    if (this.#source !== undefined && this.#watched === undefined) return this.#source.next();
    return this.#nextWatched();
  }

  async return(): Promise<IteratorResult<ProviderEvent[]>> {
    this.#watched?.left();
    this.#watched = undefined;
    await this.#source?.return?.();
    return { done: true, value: undefined };
  }

  async #nextWatched(): Promise<IteratorResult<ProviderEvent[]>> {
    const { request, call } = this.#guarded;
    if (this.#source === undefined) {
      this.#watched = this.#circuits.begin(request.model);
      this.#source = this.#provider.stream(request, call)[Symbol.asyncIterator]();
    }
    try {
      const step = await this.#source.next();
      if (step.done === true || step.value.some(isShown)) this.#settle((watched) => watched.answered());
      return step;
    } catch (thrown) {
      const isFailure = thrown instanceof TroupeError && !call.signal.aborted;
      this.#settle((watched) => (isFailure ? watched.failed(thrown) : watched.left()));
      throw thrown;
    }
  }

  #settle(tell: (watched: WatchedCall) => void): void {
    if (this.#watched !== undefined) tell(this.#watched);
    this.#watched = undefined;
  }
}

import type { ProviderEvent } from "../../../src/ports/provider.ts";

/** A provider that counts how often it is asked, and notices when its reader stops asking. */
export interface CountedSource extends AsyncIterable<ProviderEvent[]> {
  readonly asked: number;
  /** Its reader left before the last batch. */
  readonly returned: boolean;
}

/** Yields these batches, each as soon as it is asked for. */
export function countedSource(batches: readonly (readonly ProviderEvent[])[]): CountedSource {
  let asked = 0;
  let returned = false;
  return {
    get asked() {
      return asked;
    },
    get returned() {
      return returned;
    },
    [Symbol.asyncIterator]() {
      return {
        async next() {
          const batch = batches[asked];
          asked += 1;
          return batch === undefined ? { done: true, value: undefined } : { done: false, value: [...batch] };
        },
        async return() {
          returned = true;
          return { done: true, value: undefined };
        },
      };
    },
  };
}

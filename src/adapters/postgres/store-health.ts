import { type OutageOptions, watchOutages } from "../database/commits.ts";

/** Tells whether the database works. */
interface StoreHealth extends Disposable {
  /** Why no turn may begin now; `undefined` while the database works. */
  readonly fault: Error | undefined;
  /** Why every write is refused; `undefined` if writes wait or are committed. */
  readonly refusing: Error | undefined;
  /** A commit is late, for this reason; without one, it was made. */
  delay(fault: Error | undefined): void;
  /** The database refuses all writes, until a probe succeeds. */
  refuse(fault: Error): void;
  /** Settles when writes are not refused, at once if they are not refused now. */
  recovered(): Promise<void>;
}

export function createStoreHealth({ onChange, ...options }: OutageOptions): StoreHealth {
  let delayed: Error | undefined;
  let told: Error | undefined;

  function tell(): void {
    const fault = outages.fault ?? delayed;
    if ((fault === undefined) !== (told === undefined)) onChange(fault);
    told = fault;
  }

  const outages = watchOutages({ ...options, onChange: tell });
  return {
    get fault() {
      return outages.fault ?? delayed;
    },
    get refusing() {
      return outages.fault;
    },
    delay(fault) {
      delayed = fault;
      tell();
    },
    refuse: outages.fail,
    recovered: outages.recovered,
    [Symbol.dispose]: () => outages[Symbol.dispose](),
  };
}

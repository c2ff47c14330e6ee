/** Loaded into a process: its wall clock is wrong by `CLOCK_SHIFT_MS`, and its monotonic clock is right. */
const shiftMs = Number(process.env.CLOCK_SHIFT_MS ?? 0);
const { now } = Date;

Date.now = () => now() + shiftMs;
globalThis.Date = class extends Date {
  constructor(...values: readonly unknown[]) {
    super(...((values.length === 0 ? [Date.now()] : values) as [number]));
  }
} as DateConstructor;

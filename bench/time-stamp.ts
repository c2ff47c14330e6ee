/** Starts a token. Nothing else that crosses a wire here contains this byte. */
export const tokenMark = 0x7e;
/** Bytes of a token: the mark and its time. About as long as a token of English. */
export const tokenBytes = 5;

const digits = 4;
const radix = 32;
const unitsPerMs = 10;
const wrapUnits = radix ** digits;

/** The system's monotonic time, which all processes of one machine share. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
}

/** A token that carries its sending time, to a tenth of a millisecond. The count wraps around every 105 s. */
export function stampToken(nowMs: number): string {
  const units = Math.floor(nowMs * unitsPerMs) % wrapUnits;
  return String.fromCharCode(tokenMark) + units.toString(radix).padStart(digits, "0");
}

/** The age in ms of the token whose mark is at `index`; `undefined` if its digits are broken up. */
export function ageOfToken(bytes: Uint8Array, index: number, nowMs: number): number | undefined {
  let units = 0;
  for (let place = index + 1; place < index + tokenBytes; place += 1) {
    const digit = digitOf(bytes[place] ?? 0);
    if (digit === undefined) return undefined;
    units = units * radix + digit;
  }
  const passed = Math.floor(nowMs * unitsPerMs) - units;
  return (((passed % wrapUnits) + wrapUnits) % wrapUnits) / unitsPerMs;
}

function digitOf(byte: number): number | undefined {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  if (byte >= 0x61 && byte <= 0x76) return byte - 0x61 + 10;
  return undefined;
}

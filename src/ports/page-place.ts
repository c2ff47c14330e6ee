import { TroupeError } from "../protocol/errors.ts";

/** Reads a page's `next`, the number of a place in a list, from 1. Throws `invalid_message` for anything else. */
export function readPagePlace(before: string): number {
  const place = Number(before);
  if (/^[1-9]\d*$/.test(before) && Number.isSafeInteger(place)) return place;
  throw new TroupeError("invalid_message", {
    field: "before",
    detail: "before must be the `next` of an earlier list.",
  });
}

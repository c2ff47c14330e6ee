import { TroupeError } from "../protocol/errors.ts";

/** The place in a list that a page's `next` names: a number from 1. Throws `invalid_message` for anything that cannot be one. */
export function readPagePlace(before: string): number {
  const place = Number(before);
  if (/^[1-9]\d*$/.test(before) && Number.isSafeInteger(place)) return place;
  throw new TroupeError("invalid_message", {
    field: "before",
    detail: "before must be the `next` of an earlier list.",
  });
}

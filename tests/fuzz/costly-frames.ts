import { type CostlyValue, costlyValues } from "./costly-values.ts";
import { type FieldCase, fieldFrame } from "./field-frames.ts";
import { fieldPaths } from "./field-paths.ts";
import type { Frame } from "./frame.ts";

/** A message with one field whose value costs as much as a frame's length allows. */
export interface CostlyFrame {
  readonly type: FieldCase["type"];
  readonly path: string;
  readonly value: CostlyValue["name"];
  readonly frame: Frame;
}

/**
 * Every field of every message with every costly value, found in the schemas. Only every `shares`th frame is made, so
 * that each field and each value is covered. Frames are made one at a time, because all of them together have gigabytes.
 */
export function* costlyFrames(shares: number): Iterable<CostlyFrame> {
  let place = 0;
  for (const { type, path, schemas } of fieldPaths()) {
    for (const { name, json } of costlyValues(schemas)) {
      place += 1;
      if (place % shares !== 0) continue;
      const frame = fieldFrame(type, [{ type, path, value: json }]);
      yield { type, path: path.join("."), value: name, frame };
    }
  }
}

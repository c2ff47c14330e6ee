import { createDataFolder } from "./data-folder.ts";
import type { RequestRecord } from "./request-record.ts";

/**
 * Keeps the records of requests on the disk until they are judged, so that a long run needs no more memory than a short
 * one.
 */
export interface RecordShelf extends AsyncDisposable {
  readonly records: readonly RequestRecord[];
  put(record: RequestRecord): void;
}

export async function createRecordShelf(): Promise<RecordShelf> {
  const place = await createDataFolder();
  const records: RequestRecord[] = [];
  return {
    records,
    put(record) {
      record.putAway(place.folder);
      records.push(record);
    },
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  };
}

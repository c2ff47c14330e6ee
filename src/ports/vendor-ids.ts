/**
 * Records the owner of each id that a vendor made. The vendor stores everything for all callers under one account. Without this record, a
 * caller that names another's id would reach its content.
 *
 * Contract:
 * - `note` records that the vendor made these ids for an owner. It settles once they are as durable as a turn's log. They are stored no
 *   later than anything appended to a log after the call. An id is kept for at least 30 days after it was last noted. It has one owner,
 *   the last one: if a vendor gives out an id twice, it holds the second caller's words. Ids that no request can name (longer than
 *   `maxIdChars`) may be left out;
 * - `isOwn` returns `false` for an id of another owner, one that was never noted, and one that has expired.
 */
export interface VendorIds {
  note(owner: string, ids: readonly string[]): Promise<void>;
  isOwn(owner: string, id: string): Promise<boolean>;
}

/** How long an id is kept, milliseconds: as long as OpenAI keeps a response (API reference, `store`). */
export const vendorIdRetentionMs = 30 * 24 * 3_600_000;

/** Maximum UTF-16 code units of an id that a request can name (`vendorIdChars` of the wire, each perhaps a pair). */
export const maxIdChars = 2_048;

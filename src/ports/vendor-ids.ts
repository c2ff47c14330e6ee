/**
 * Which ids of a vendor belong to whom. The vendor keeps what it makes for all callers under one account: without this, a caller that
 * names another's id reaches what is under it.
 *
 * Contract:
 * - `note` says that the vendor made these ids for an owner. It settles when they are kept as durably as a turn's log, and they are
 *   kept no later than what is appended to a log after the call. An id is kept for at least 30 days, and its time begins again when
 *   it is noted again. An id has one owner, the last one: a vendor that gives out an id twice has the second caller's words under it.
 *   Ids that no request can name (longer than `maxIdChars`) may be left out;
 * - `isOwn` answers `false` for an id of another owner, for one that was never noted and for one whose time is over.
 */
export interface VendorIds {
  note(owner: string, ids: readonly string[]): Promise<void>;
  isOwn(owner: string, id: string): Promise<boolean>;
}

/** How long an id is kept, milliseconds: as long as OpenAI keeps a response (API reference, `store`). */
export const vendorIdRetentionMs = 30 * 24 * 3_600_000;

/** UTF-16 code units of the longest id that a request can name (`vendorIdChars` of the wire, each perhaps a pair). */
export const maxIdChars = 2_048;

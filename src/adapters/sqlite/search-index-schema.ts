/**
 * The tables of the search index. They are a step of the schema, so do not change them: add another step. `suffix` keeps the names of the
 * indexes apart from those of tables that were set aside.
 */
export function createSearchIndex(suffix: string): string {
  return `
  -- An owner's messages in blocks of some 100 KB, by age; blocks for messages from before this step have numbers below 0.
  CREATE TABLE word_blocks (
    number INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    bytes INTEGER NOT NULL DEFAULT 0,
    -- It takes no more messages.
    closed INTEGER NOT NULL DEFAULT 0,
    -- Counts the block's changes: a list made from an older version is not stored.
    version INTEGER NOT NULL DEFAULT 0,
    -- Every word of its messages, each on a line; NULL if not made yet, or if one of the messages was deleted.
    words TEXT
  ) STRICT;
  CREATE INDEX word_blocks_by_owner${suffix} ON word_blocks (owner, number);
  CREATE INDEX word_blocks_without_words${suffix} ON word_blocks (number) WHERE closed AND words IS NULL;
  CREATE TABLE block_messages (
    block INTEGER NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (block, message)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX block_of_message${suffix} ON block_messages (message);

  CREATE TRIGGER message_added AFTER INSERT ON messages BEGIN
    UPDATE word_blocks SET closed = 1
      WHERE number = (SELECT max(number) FROM word_blocks WHERE owner = new.owner) AND bytes >= 100000;
    INSERT INTO word_blocks (number, owner)
      SELECT (SELECT max(0, coalesce(max(number), 0)) + 1 FROM word_blocks), new.owner
      WHERE NOT EXISTS (
        SELECT 1 FROM word_blocks WHERE number = (SELECT max(number) FROM word_blocks WHERE owner = new.owner)
          AND number > 0 AND NOT closed
      );
    INSERT INTO block_messages (block, message)
      SELECT max(number), new.number FROM word_blocks WHERE owner = new.owner;
    UPDATE word_blocks SET bytes = bytes + octet_length(new.text), version = version + 1
      WHERE number = (SELECT max(number) FROM word_blocks WHERE owner = new.owner);
  END;
  CREATE TRIGGER message_removed AFTER DELETE ON messages BEGIN
    UPDATE word_blocks SET words = NULL, bytes = bytes - octet_length(old.text), version = version + 1
      WHERE number = (SELECT block FROM block_messages WHERE message = old.number);
    DELETE FROM word_blocks WHERE number = (SELECT block FROM block_messages WHERE message = old.number)
      AND NOT EXISTS (SELECT 1 FROM block_messages WHERE block = number AND message <> old.number);
    DELETE FROM block_messages WHERE message = old.number;
  END;
  `;
}

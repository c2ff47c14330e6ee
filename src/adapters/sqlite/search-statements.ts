/** The owner's oldest block of messages that an earlier version stored. */
const oldBlock = "(SELECT min(number) FROM word_blocks WHERE owner = it.owner)";

/** The statements of the search index. */
export const searchStatements = {
  findBlock: `SELECT owner, version FROM word_blocks WHERE number = ?`,
  blockBefore: `SELECT number, words FROM word_blocks WHERE owner = ? AND number < ? ORDER BY number DESC LIMIT 1`,
  messageInBlockBefore: `SELECT messages.number, messages.id, conversation_id, title, iif(conversations.id IS NULL, NULL, text) AS text
    FROM block_messages JOIN messages ON messages.number = message
      LEFT JOIN conversations ON conversations.id = conversation_id AND conversations.owner = ?3
    WHERE block = ?1 AND message < ?2 ORDER BY message DESC LIMIT 1`,
  blocksToIndex: `SELECT number, owner FROM word_blocks WHERE closed AND words IS NULL AND number > ? ORDER BY number LIMIT 100`,
  indexBlock: `UPDATE word_blocks SET words = ? WHERE number = ? AND version = ?`,

  // Messages of an earlier version are put into blocks from the newest to the oldest.
  messagesToIndex: `SELECT number FROM messages WHERE number <= ? ORDER BY number DESC LIMIT 50`,
  openOldBlock: `INSERT INTO word_blocks (number, owner)
    SELECT (SELECT min(0, coalesce(min(number), 0)) - 1 FROM word_blocks), owner FROM messages AS it WHERE number = ?
      AND NOT EXISTS (SELECT 1 FROM word_blocks WHERE number = ${oldBlock} AND number < 0 AND NOT closed)`,
  putIntoOldBlock: `INSERT OR IGNORE INTO block_messages (block, message) SELECT ${oldBlock}, number FROM messages AS it WHERE number = ?`,
  growOldBlock: `UPDATE word_blocks AS block SET bytes = bytes + octet_length(it.text), version = version + 1,
      closed = bytes + octet_length(it.text) >= 100000
    FROM messages AS it WHERE it.number = ? AND block.number = ${oldBlock}`,
  keepToIndex: `UPDATE counters SET value = ? WHERE name = 'to_index'`,
  closeOldBlocks: `UPDATE word_blocks SET closed = 1 WHERE number < 0 AND NOT closed`,
  hasOldIndex: `SELECT 1 FROM sqlite_schema WHERE name = 'message_words'`,
  oldIndexPages: `SELECT 1 FROM message_words_data LIMIT 1`,
  eraseOldIndexPages: `DELETE FROM message_words_data WHERE id IN (SELECT id FROM message_words_data ORDER BY id DESC LIMIT 64)`,
  dropOldIndex: `DROP TABLE message_words`,
} as const;

import { named } from "./connection.ts";

const messageColumns =
  "m.id, m.parent_id, m.request_id, m.role, m.persona_id, m.persona_name, m.content, m.items, m.path_chars, m.status";

/** The messages from one to the root, the newest first, until their characters exceed the limit; the newest with a text is always there. */
const upwards = (start: string, limit: string) => `
    SELECT m.id, m.parent_id, 0 AS depth, m.chars AS total ${start}
    UNION ALL
    SELECT m.id, m.parent_id, depth + 1, total + m.chars
    FROM messages m JOIN path ON m.id = path.parent_id WHERE total = 0 OR total + m.chars <= ${limit}`;

/** The statements of requests for conversations. The journal writes messages and heads. */
export const conversationStatements = named({
  createConversation: `INSERT INTO conversations (id, owner, created_at_ms, updated_at_ms) VALUES ($1, $2, $3, $3)
    ON CONFLICT (id) DO NOTHING`,
  findConversation: `SELECT id, title, head_id, created_at_ms, updated_at_ms FROM conversations WHERE id = $1 AND owner = $2`,
  listConversations: `SELECT id, title, head_id, changed, created_at_ms, updated_at_ms FROM conversations
    WHERE owner = $1 AND changed > 0 AND changed < $2 ORDER BY changed DESC LIMIT $3`,
  renameConversation: `UPDATE conversations SET title = $1, updated_at_ms = $2, changed = nextval('changes')
    WHERE id = $3 AND owner = $4 RETURNING id`,
  // The messages are deleted after this, when no beat can add any more. The same attempt may come twice.
  removeConversation: `UPDATE conversations SET owner = NULL, title = NULL, removed_by = $3, removed_at = clock_timestamp()
    WHERE id = $1 AND (owner = $2 OR (owner IS NULL AND removed_by = $3)) RETURNING id`,

  findMessage: `SELECT m.path_chars FROM messages m JOIN conversations c ON c.id = m.conversation_id
    WHERE m.id = $1 AND c.id = $2 AND c.owner = $3`,
  messagesOfRequest: `SELECT ${messageColumns} FROM messages m JOIN conversations c ON c.id = m.conversation_id
    WHERE c.id = $1 AND c.owner = $2 AND m.request_id = $3 ORDER BY m.number`,
  newestRequest: `SELECT m.request_id FROM messages m JOIN conversations c ON c.id = m.conversation_id
    WHERE c.id = $1 AND c.owner = $2 AND m.role = 'user' AND m.request_id IS NOT NULL ORDER BY m.number DESC LIMIT 1`,
  placeOfRequest: `SELECT min(m.number) AS number FROM messages m WHERE m.conversation_id = $1 AND m.request_id = $2 AND m.role = 'user'`,
  requestsAfter: `SELECT request_id FROM messages WHERE conversation_id = $1 AND number > $2 AND role = 'user'
    AND request_id IS NOT NULL ORDER BY number`,
  // Under the fence, because a turn does it: a process that was taken over must not change its successor's messages.
  disownMessages: `WITH fence AS (SELECT 1 FROM fences WHERE incarnation = $4 AND line = 0 FOR KEY SHARE)
    UPDATE messages SET request_id = NULL FROM fence
    WHERE conversation_id = $1 AND request_id = $2 AND owner = $3 AND role = 'assistant'`,
  path: `WITH RECURSIVE path AS (${upwards("FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE m.id = $1 AND c.id = $2 AND c.owner = $3", "$4::bigint")})
    SELECT ${messageColumns} FROM path JOIN messages m USING (id) ORDER BY depth DESC`,
  // The same from the head. A conversation without a head gives one row without a message.
  headPath: `WITH RECURSIVE head AS (SELECT head_id FROM conversations WHERE id = $1 AND owner = $2),
    path AS (${upwards("FROM head JOIN messages m ON m.id = head.head_id", "$3::bigint")})
    SELECT head.head_id, ${messageColumns}
    FROM head LEFT JOIN path ON true LEFT JOIN messages m ON m.id = path.id ORDER BY depth DESC`,
  // PostgreSQL knows the sizes without reading the texts.
  messagesFrom: `WITH sized AS (
      SELECT number, octet_length(content) - CASE number WHEN $2 THEN $3::int ELSE 0 END AS bytes FROM messages
      WHERE conversation_id = $1 AND number >= $2 AND EXISTS (SELECT 1 FROM conversations WHERE id = $1 AND owner = $5)
      ORDER BY number LIMIT 101),
    summed AS (SELECT number, bytes, sum(bytes) OVER (ORDER BY number) AS through, max(number) OVER () AS newest FROM sized)
    SELECT number, newest, bytes, m.id, m.parent_id, m.request_id, m.role, m.persona_id, m.persona_name, m.status, m.created_at_ms,
      substr(m.content, CASE number WHEN $2 THEN $3::int ELSE 0 END + 1, $4::int) AS content
    FROM summed JOIN messages m USING (number) WHERE through <= $4::int OR through = bytes ORDER BY number LIMIT 100`,
  // A character has at most four bytes.
  textBeginning: `SELECT substr(m.content, 1, 4 * $1::int) AS content FROM messages m JOIN conversations c ON c.id = m.conversation_id
    WHERE m.id = $2 AND c.id = $3 AND c.owner = $4`,

  // The newest messages that may match, before a number.
  candidates: `SELECT number FROM (
      (SELECT number FROM messages WHERE owner = $1 AND words @@ $2::tsquery AND number < $3 ORDER BY number DESC LIMIT 100)
      UNION ALL
      (SELECT number FROM messages WHERE owner = $1 AND words IS NULL AND number < $3 ORDER BY number DESC LIMIT 100)
    ) AS found ORDER BY number DESC LIMIT 100`,
  candidate: `SELECT m.id, m.conversation_id, m.content, c.title FROM messages m
    JOIN conversations c ON c.id = m.conversation_id AND c.owner = m.owner WHERE m.number = $1`,
});

import { storedVersion } from "../../ports/stored-version.ts";
import type { BeatItem, ItemOf, NewRow } from "./beat-item.ts";

/** A column of the rows of one part, with its values in order. `plain` is text that has no control characters except line breaks. */
export type Column = readonly [
  name: string,
  type: "bigint" | "boolean" | "double precision" | "text" | "plain" | "bytea",
  values: readonly Cell[],
];
export type Cell = string | number | boolean | null;

/** One part of the statement: the rows that it is given, and its SQL, which reads them under their name. */
export interface Part {
  /** Tells it from other parts in the name of the statement, which may have 63 characters. */
  readonly code: string;
  readonly rows: string;
  readonly columns: readonly Column[];
  readonly sql: string;
}

const change = "changed = nextval('changes')";

/** The parts of the statement that commits all items together. A beat without items of a kind has no part for it. */
export function partsOf(items: readonly BeatItem[]): Part[] {
  const of = <Kind extends BeatItem["kind"]>(kind: Kind) =>
    items.filter((item): item is ItemOf<Kind> => item.kind === kind);
  const [starts, steps, messages] = [of("start"), of("steps"), of("messages")];
  const [calls, changes, vendorIds] = [of("call"), of("call-change"), of("vendor-ids")];
  const [responses, leaves] = [of("response"), of("leave")];
  const ends = steps.flatMap(({ turn, end }) => (end === undefined ? [] : [{ turn, ...end }]));
  return [
    ...(starts.length === 0 ? [] : [startPart(starts)]),
    ...(messages.length === 0 ? [] : messageParts(messages)),
    ...(calls.length === 0 ? [] : [callPart(calls)]),
    ...(changes.length === 0 ? [] : [callChangePart(changes)]),
    ...(vendorIds.length === 0 ? [] : [vendorIdPart(vendorIds)]),
    ...(responses.length === 0 ? [] : [responsePart(responses)]),
    ...(steps.length === 0 ? [] : [stepPart(steps)]),
    ...(ends.length === 0 ? [] : [endPart(ends)]),
    ...(leaves.length === 0 ? [] : [leavePart(leaves)]),
  ];
}

/** The columns of a message, as every part with messages has them. */
const messageColumns =
  "id, parent_id, request_id, role, persona_id, persona_name, content, items, chars, path_chars, status, created_at_ms, words, conversation_id, owner";
const messageValues = `m.message_id, m.parent_id, m.request_id, m.role, m.persona_id, m.persona_name, m.content, m.items, m.chars, m.path_chars,
  m.status, m.at_ms, array_to_tsvector(string_to_array(m.words, E'\\n')), m.conversation_id, m.owner`;

function columnsOfMessages(rows: readonly (NewRow | undefined)[]): Column[] {
  const cells = (of: (row: NewRow) => Cell) => rows.map((row) => (row === undefined ? null : of(row)));
  return [
    ["message_id", "text", cells(({ id }) => id)],
    ["parent_id", "text", cells(({ parentId }) => parentId)],
    ["request_id", "text", cells(({ requestId }) => requestId)],
    ["role", "text", cells(({ role }) => role)],
    ["persona_id", "text", cells(({ personaId }) => personaId)],
    ["persona_name", "text", cells(({ personaName }) => personaName)],
    ["content", "bytea", cells(({ text }) => text)],
    ["items", "plain", cells(({ items }) => items)],
    ["chars", "bigint", cells(({ chars }) => chars)],
    ["path_chars", "bigint", cells(({ pathChars }) => pathChars)],
    ["status", "text", cells(({ status }) => status)],
    ["at_ms", "bigint", cells(({ atMs }) => atMs)],
    ["words", "plain", cells(({ words }) => words)],
  ];
}

/**
 * Turns begin in the order of their names, because two processes that are sent the same names would wait for each other otherwise. A question is
 * stored only if the head of its conversation is still the one under which it was asked, and a turn begins only with its question.
 */
function startPart(starts: readonly ItemOf<"start">[]): Part {
  const cells = (of: (turn: ItemOf<"start">["turn"]) => Cell) => starts.map(({ turn }) => of(turn));
  const questions = starts.map(({ question }) => question);
  const placeOf = (question: ItemOf<"start">["question"]) =>
    question === undefined ? "none" : question.under === undefined ? "new" : "head";
  return {
    code: "b",
    rows: "starts",
    columns: [
      ["number", "bigint", cells(({ number }) => number)],
      ["owner", "text", cells(({ owner }) => owner)],
      ["turn_id", "text", cells(({ id }) => id)],
      ["content_hash", "text", cells(({ contentHash }) => contentHash)],
      ["conversation_id", "text", cells(({ conversationId }) => conversationId)],
      ["began_ms", "bigint", cells(({ atMs }) => atMs)],
      ["after_seq", "bigint", cells(({ afterSeq }) => afterSeq)],
      ["request", "plain", cells(({ request }) => request)],
      ["replaces", "boolean", cells(({ replaces }) => replaces)],
      ["place", "text", questions.map(placeOf)],
      ["head_id", "text", questions.map((question) => question?.under?.headId ?? null)],
      ["title", "text", questions.map((question) => question?.title ?? null)],
      ...columnsOfMessages(questions.map((question) => question?.message)),
    ],
    sql: `placed AS (
      SELECT s.number FROM starts s JOIN conversations c ON c.id = s.conversation_id AND c.owner = s.owner
      WHERE s.place = 'head' AND c.head_id IS NOT DISTINCT FROM s.head_id ORDER BY c.id FOR UPDATE OF c),
    able AS (SELECT * FROM starts WHERE place <> 'head' OR number IN (SELECT number FROM placed)),
    begun AS (
      INSERT INTO turns (number, owner, id, content_hash, conversation_id, began_ms, after_seq, request, version, node)
      SELECT number, owner, turn_id, content_hash, conversation_id, began_ms, after_seq, request, ${storedVersion}, $2
      FROM able WHERE NOT replaces ORDER BY owner, turn_id ON CONFLICT (owner, id) DO NOTHING RETURNING number),
    again AS (
      UPDATE turns t SET number = s.number, content_hash = s.content_hash, conversation_id = s.conversation_id, began_ms = s.began_ms,
        after_seq = s.after_seq, request = s.request, version = ${storedVersion}, node = $2, ended_ms = NULL, answer = NULL, has_log = true,
        claims = 0, claimed_seq = 0, cancels = NULL
      FROM able s WHERE s.replaces AND t.owner = s.owner AND t.id = s.turn_id AND t.ended_ms IS NOT NULL RETURNING t.number),
    there AS (SELECT number FROM begun UNION ALL SELECT number FROM again),
    replaced AS (
      DELETE FROM events e USING able s JOIN turns t ON t.owner = s.owner AND t.id = s.turn_id
      WHERE s.replaces AND s.number IN (SELECT number FROM again) AND e.turn = t.number),
    opened AS (
      INSERT INTO conversations (id, owner, title, changed, created_at_ms, updated_at_ms)
      SELECT conversation_id, owner, title, nextval('changes'), began_ms, began_ms
      FROM able WHERE place = 'new' AND number IN (SELECT number FROM there)),
    asked AS (
      UPDATE conversations c SET title = coalesce(c.title, s.title), ${change}, updated_at_ms = s.began_ms
      FROM able s WHERE s.place = 'head' AND s.number IN (SELECT number FROM there) AND c.id = s.conversation_id),
    questions AS (
      INSERT INTO messages (${messageColumns}) SELECT ${messageValues}
      FROM able m WHERE m.place <> 'none' AND m.number IN (SELECT number FROM there) ORDER BY m.number)`,
  };
}

/** Messages go only into conversations that are still there. The change of a conversation's row keeps it there until the commit. */
function messageParts(items: readonly ItemOf<"messages">[]): Part[] {
  const messages = items.flatMap(({ owner, conversationId, messages }) =>
    messages.map((message) => ({ owner, conversationId, message })),
  );
  const touched: Part = {
    code: "t",
    rows: "touches",
    columns: [
      ["id", "text", items.map(({ conversationId }) => conversationId)],
      ["owner", "text", items.map(({ owner }) => owner)],
      ["title", "text", items.map(({ title }) => title)],
      ["head_id", "text", items.map(({ headId }) => headId)],
      ["at_ms", "bigint", items.map(({ atMs }) => atMs)],
    ],
    sql: `touched AS (
      UPDATE conversations c SET title = coalesce(c.title, t.title), head_id = coalesce(t.head_id, c.head_id), ${change},
        updated_at_ms = t.at_ms
      FROM touches t WHERE c.id = t.id AND c.owner = t.owner RETURNING c.id)`,
  };
  if (messages.length === 0) return [touched];
  const added: Part = {
    code: "m",
    rows: "messages_given",
    columns: [
      ["conversation_id", "text", messages.map(({ conversationId }) => conversationId)],
      ["owner", "text", messages.map(({ owner }) => owner)],
      ["place", "bigint", messages.map((_, place) => place)],
      ...columnsOfMessages(messages.map(({ message }) => message)),
    ],
    sql: `added AS (
      INSERT INTO messages (${messageColumns}) SELECT ${messageValues}
      FROM messages_given m JOIN touched ON touched.id = m.conversation_id ORDER BY m.place)`,
  };
  return [touched, added];
}

function stepPart(items: readonly ItemOf<"steps">[]): Part {
  return {
    code: "s",
    rows: "steps_given",
    columns: [
      ["turn", "bigint", items.map(({ turn }) => turn)],
      ["first_seq", "bigint", items.map(({ firstSeq }) => firstSeq)],
      ["part", "bigint", items.map(({ part }) => part)],
      ["steps", "plain", items.map(({ steps }) => steps)],
    ],
    // Without `ON CONFLICT`: a row that is there already means that two processes run the turn.
    sql: `said AS (
      INSERT INTO events (turn, first_seq, part, version, steps)
      SELECT turn, first_seq, part, ${storedVersion}, steps FROM steps_given ORDER BY turn)`,
  };
}

function endPart(
  ends: readonly { readonly turn: number; readonly endedMs: number; readonly answer: string }[],
): Part {
  return {
    code: "e",
    rows: "ends",
    columns: [
      ["number", "bigint", ends.map(({ turn }) => turn)],
      ["ended_ms", "bigint", ends.map(({ endedMs }) => endedMs)],
      ["answer", "plain", ends.map(({ answer }) => answer)],
    ],
    sql: `ended AS (
      UPDATE turns t SET node = NULL, request = NULL, cancels = NULL, ended_ms = e.ended_ms, answer = e.answer, version = ${storedVersion}
      FROM ends e WHERE t.number = e.number AND t.node = $2)`,
  };
}

/** A turn that was let go in order has killed no node, so its claims are counted again from 0. */
function leavePart(leaves: readonly ItemOf<"leave">[]): Part {
  return {
    code: "l",
    rows: "leaves",
    columns: [["number", "bigint", leaves.map(({ turn }) => turn)]],
    sql: `left_turns AS (
      UPDATE turns t SET node = 0, claims = 0 FROM leaves l WHERE t.number = l.number AND t.node = $2)`,
  };
}

function callPart(items: readonly ItemOf<"call">[]): Part {
  const cells = (of: (item: ItemOf<"call">) => Cell) => items.map(of);
  return {
    code: "c",
    rows: "calls",
    columns: [
      ["id", "text", cells(({ id }) => id)],
      ["owner", "text", cells(({ owner }) => owner)],
      ["key_id", "text", cells(({ keyId }) => keyId)],
      ["request_id", "text", cells(({ requestId }) => requestId)],
      ["lane", "text", cells(({ lane }) => lane)],
      ["call", "bigint", cells(({ call }) => call)],
      ["api", "text", cells(({ api }) => api)],
      ["model", "text", cells(({ model }) => model)],
      ["day", "bigint", cells(({ day }) => day)],
      ["at_ms", "bigint", cells(({ atMs }) => atMs)],
      ["input_tokens", "bigint", cells(({ inputTokens }) => inputTokens)],
      ["output_tokens", "bigint", cells(({ outputTokens }) => outputTokens)],
      ["conversation_id", "text", cells(({ conversationId }) => conversationId)],
      ["replaces", "boolean", cells(({ replaces }) => replaces)],
    ],
    // A call that is taken up is one row, regardless of its day and outcome. Older rows of the same number are of answers that were given up.
    sql: `taken_up AS (
      DELETE FROM usage u USING calls c WHERE c.replaces AND u.number = (
        SELECT max(number) FROM usage v WHERE v.owner = c.owner AND v.request_id = c.request_id
          AND v.lane IS NOT DISTINCT FROM c.lane AND v.call = c.call)),
    called AS (
      INSERT INTO usage (id, owner, key_id, request_id, lane, call, api, model, day, at_ms, input_tokens, output_tokens, conversation_id,
        estimated, node)
      SELECT id, owner, key_id, request_id, lane, call, api, model, day, at_ms, input_tokens, output_tokens, conversation_id,
        true, $2 FROM calls)`,
  };
}

function callChangePart(items: readonly ItemOf<"call-change">[]): Part {
  return {
    code: "d",
    rows: "call_changes",
    columns: [
      ["id", "text", items.map(({ id }) => id)],
      ["input_tokens", "bigint", items.map(({ inputTokens }) => inputTokens)],
      ["output_tokens", "bigint", items.map(({ outputTokens }) => outputTokens)],
      ["day", "bigint", items.map(({ end }) => end?.day ?? null)],
      ["estimated", "boolean", items.map(({ end }) => end?.estimated ?? null)],
      ["outcome", "text", items.map(({ end }) => end?.outcome ?? null)],
      ["cost_usd", "double precision", items.map(({ end }) => end?.costUsd ?? null)],
      ["cost_approximate", "boolean", items.map(({ end }) => end?.isCostApproximate ?? null)],
    ],
    sql: `changed_calls AS (
      UPDATE usage u SET input_tokens = c.input_tokens, output_tokens = c.output_tokens, day = coalesce(c.day, u.day),
        estimated = coalesce(c.estimated, u.estimated), outcome = coalesce(c.outcome, u.outcome),
        cost_usd = c.cost_usd, cost_approximate = coalesce(c.cost_approximate, u.cost_approximate)
      FROM call_changes c WHERE u.id = c.id)`,
  };
}

function vendorIdPart(items: readonly ItemOf<"vendor-ids">[]): Part {
  const ids = items.flatMap(({ owner, digests, notedMs }) =>
    digests.map((digest) => ({ owner, digest, notedMs })),
  );
  return {
    code: "v",
    rows: "vendor_ids_given",
    columns: [
      ["digest", "text", ids.map(({ digest }) => digest)],
      ["owner", "text", ids.map(({ owner }) => owner)],
      ["noted_ms", "bigint", ids.map(({ notedMs }) => notedMs)],
    ],
    sql: `noted AS (
      INSERT INTO vendor_ids (digest, owner, noted_ms) SELECT digest, owner, noted_ms FROM vendor_ids_given ORDER BY digest
      ON CONFLICT (digest) DO UPDATE SET owner = excluded.owner, noted_ms = excluded.noted_ms)`,
  };
}

function responsePart(items: readonly ItemOf<"response">[]): Part {
  return {
    code: "r",
    rows: "responses_given",
    columns: [
      ["digest", "text", items.map(({ digest }) => digest)],
      ["owner", "text", items.map(({ owner }) => owner)],
      ["previous", "text", items.map(({ previous }) => previous)],
      ["items", "plain", items.map(({ items: json }) => json)],
      ["kept_ms", "bigint", items.map(({ keptMs }) => keptMs)],
    ],
    sql: `kept AS (
      INSERT INTO responses (digest, owner, previous, items, version, kept_ms)
      SELECT digest, owner, previous, items, ${storedVersion}, kept_ms FROM responses_given ORDER BY digest
      ON CONFLICT (digest) DO UPDATE SET owner = excluded.owner, previous = excluded.previous, items = excluded.items,
        version = excluded.version, kept_ms = excluded.kept_ms)`,
  };
}

import { Hono } from "hono";
import { z } from "zod";
import type {
  ConversationStore,
  ConversationSummary,
  MessagePiece,
  ReadingPlace,
} from "../../ports/conversation-store.ts";
import { faultsOf, type Observer } from "../../ports/observer.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { conversationId } from "../../protocol/fields.ts";
import type { ApiRoutes } from "./api-routes.ts";
import { attachment, conversationMarkdown } from "./conversation-markdown.ts";
import { encodeConversation, encodeMatch, encodeSummary } from "./conversation-wire.ts";
import { decodeId, decodeInput, readJson } from "./decode-input.ts";
import { streamedBody } from "./streamed-body.ts";

const titleChars = 200;
/** Bytes of text in one page of a conversation. For a client that stops reading, about two pages are held. */
const pageBytes = 32 * 1024;
/** Max pages that are read at a time, so that other reads of the store never wait for more of them. */
const maxReads = 4;

const listQuery = z
  .object({
    limit: z
      .string()
      .regex(/^\d{1,3}$/, "a number from 1 to 100")
      .transform(Number)
      .pipe(z.number().min(1).max(100))
      .default(50),
    before: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/, "the next of an earlier list")
      .optional(),
    q: z.string().max(200).optional(),
  })
  .refine(({ before, q }) => before === undefined || q === undefined, {
    path: ["before"],
    message: "must be left out of a search, which has one page",
  });

const exportQuery = z.object({ format: z.enum(["json", "markdown"]).default("json") });

/** A title is one line. */
const title = z
  .string()
  .overwrite((value) =>
    value
      .toWellFormed()
      .replace(/[\s\p{Cc}]+/gu, " ")
      .trim(),
  )
  .min(1)
  .refine((value) => [...value].length <= titleChars, `must have at most ${titleChars} characters`);

const renaming = z.object({ title });

export interface ConversationRoutesOptions {
  readonly conversations: ConversationStore;
  /** Deletes a conversation with all its messages; `false` if it does not exist. */
  readonly deleteConversation: (owner: string, id: string) => Promise<boolean>;
  /** Is told if a body could not be written to its end. */
  readonly observer: Observer;
}

/**
 * Routes to list, search, read, rename, delete and export the caller's conversations. Throws `conversation_not_found`, `invalid_message`.
 */
export function createConversationRoutes({
  conversations,
  deleteConversation,
  observer,
}: ConversationRoutesOptions): ApiRoutes {
  const routes: ApiRoutes = new Hono();
  const report = faultsOf(observer, "http");
  const turn = fewAtOnce(maxReads);
  const idIn = (context: { req: { param(name: "id"): string | undefined } }) =>
    decodeId(conversationId, context.req.param("id"), "conversation_not_found");

  async function summaryOf(owner: string, id: string): Promise<ConversationSummary> {
    const summary = await conversations.summary(owner, id);
    if (summary === undefined) throw new TroupeError("conversation_not_found");
    return summary;
  }

  /** All messages, a page at a time. Throws `conversation_not_found` once the conversation was deleted. */
  async function* piecesOf(owner: string, id: string): AsyncGenerator<MessagePiece> {
    let from: ReadingPlace | undefined;
    do {
      const place = from;
      const page = await turn(() => conversations.messages(owner, id, pageBytes, place));
      if (page === undefined) throw new TroupeError("conversation_not_found");
      yield* page.pieces;
      from = page.next;
    } while (from !== undefined);
  }

  routes.get("/", async (context) => {
    const { owner } = context.get("caller");
    const { limit, before, q } = decodeInput(listQuery, present(context.req.query()), "query");
    if (q !== undefined)
      return context.json({ matches: (await conversations.search(owner, q, limit)).map(encodeMatch) });
    const page = await conversations.list(owner, { limit, before });
    return context.json({
      conversations: page.conversations.map(encodeSummary),
      ...(page.next === undefined ? {} : { next: page.next }),
    });
  });

  routes.get("/:id", async (context) => {
    const id = idIn(context);
    const { owner } = context.get("caller");
    const summary = await summaryOf(owner, id);
    return context.body(
      streamedBody(encodeConversation(summary, piecesOf(owner, id)), context.env, report),
      200,
      {
        "content-type": "application/json",
      },
    );
  });

  routes.get("/:id/export", async (context) => {
    const id = idIn(context);
    const { format } = decodeInput(exportQuery, present(context.req.query()), "query");
    const { owner } = context.get("caller");
    const summary = await summaryOf(owner, id);
    const isJson = format === "json";
    const pieces = isJson
      ? encodeConversation(summary, piecesOf(owner, id))
      : conversationMarkdown(summary, piecesOf(owner, id), (messageId, maxChars) =>
          conversations.beginning(owner, id, messageId, maxChars),
        );
    return context.body(streamedBody(pieces, context.env, report), 200, {
      "content-type": isJson ? "application/json" : "text/markdown; charset=utf-8",
      "content-disposition": attachment(summary.title, isJson ? "json" : "md"),
    });
  });

  routes.patch("/:id", async (context) => {
    const id = idIn(context);
    const body = await readJson(context.req.raw);
    const { title: asked } = decodeInput(renaming, body, "body");
    if (!(await conversations.rename(context.get("caller").owner, id, asked)))
      throw new TroupeError("conversation_not_found");
    return context.json({ id, title: asked });
  });

  routes.delete("/:id", async (context) => {
    const removed = await deleteConversation(context.get("caller").owner, idIn(context));
    if (!removed) throw new TroupeError("conversation_not_found");
    return context.body(null, 204);
  });

  return routes;
}

/** Drops empty parameters, which count as absent. */
function present(query: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ""));
}

/** Runs at most `max` pieces of work at a time. Others wait for their turn, first come first served. */
function fewAtOnce(max: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running < max) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      // A free place goes directly to the next in line, so that later work cannot take it.
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}

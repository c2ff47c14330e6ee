import { answer } from "./answer.ts";
import { responseInProgress } from "./response-object.ts";
import type { Script } from "./script.ts";
import { httpError, plainResponse, streamScript } from "./stream-script.ts";

interface RoutedRequest {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

const cancelPath = /^\/v1\/responses\/([^/?]+)\/cancel$/;

const retrievalPath = /^\/v1\/responses\/([^/?]+)(?:\?(.*))?$/;

/** A `GET /v1/responses/{id}` as the double reads it. */
export interface Retrieval {
  readonly responseId: string;
  readonly isStream: boolean;
  /** The stream starts after this number; -1 for all of it. */
  readonly startingAfter: number;
}

export function retrievalOf({ method, path }: RoutedRequest): Retrieval | undefined {
  const [, responseId, query] = retrievalPath.exec(path) ?? [];
  if (method !== "GET" || responseId === undefined) return undefined;
  const asked = new URLSearchParams(query);
  return {
    responseId,
    isStream: asked.get("stream") === "true",
    startingAfter: Number(asked.get("starting_after") ?? -1),
  };
}

/** The API's answer for a response that it does not have, or no longer has. */
export function responseNotFound({ responseId }: Retrieval): Script {
  const message = `Response with id '${responseId}' not found.`;
  return httpError(404, { message, type: "invalid_request_error", code: null });
}

/** Whether a request cancels a response. */
export function isCancel({ method, path }: RoutedRequest): boolean {
  return method === "POST" && cancelPath.test(path);
}

/** Whether a script answers this request instead of the double itself. */
export function isCall({ method, path }: RoutedRequest): boolean {
  return method === "POST" && !cancelPath.test(path);
}

/** The double's own answers: the list of models, the cancelling of a response, 404. */
export function answerSideRequest({ method, path }: RoutedRequest, models: readonly string[]): Script {
  const responseId = method === "POST" ? cancelPath.exec(path)?.[1] : undefined;
  if (responseId !== undefined) {
    return plainResponse(200, { ...responseInProgress({ responseId }), status: "cancelled" });
  }
  if (method === "GET" && path === "/v1/models") {
    const data = models.map((id) => ({ id, object: "model", created: 1_720_000_000, owned_by: "double" }));
    return plainResponse(200, { object: "list", data });
  }
  const message = `Invalid URL (${method} ${path})`;
  return httpError(404, { message, type: "invalid_request_error", code: null });
}

/** A short answer that names the requested model and the response that it continues. Ids are `resp_1`, `resp_2`, ... */
export function answerByDefault({ body }: RoutedRequest, index: number): Script {
  const asked: { model?: unknown; previous_response_id?: unknown } =
    typeof body === "object" && body !== null ? body : {};
  return streamScript(
    answer({
      responseId: `resp_${index + 1}`,
      ...(typeof asked.model === "string" ? { model: asked.model } : {}),
      ...(typeof asked.previous_response_id === "string"
        ? { previousResponseId: asked.previous_response_id }
        : {}),
    }),
  );
}

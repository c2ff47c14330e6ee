import { once } from "node:events";
import http from "node:http";
import { text } from "node:stream/consumers";

export interface ApiAnswer {
  readonly status: number;
  readonly body: string;
}

/** Sends a request for a path over its own connection, which is closed after the answer. */
export type ApiClient = (method: "GET" | "DELETE", path: string) => Promise<ApiAnswer>;

export function createApiClient(url: string): ApiClient {
  return async (method, path) => {
    const request = http.request(new URL(path, url), { method, agent: false });
    request.end();
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    return { status: response.statusCode ?? 0, body: await text(response) };
  };
}

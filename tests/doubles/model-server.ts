import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A server on this machine whose list of models a test writes. */
export interface ModelServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/v1`. */
  readonly baseUrl: string;
  /** Paths of the requests so far. */
  readonly asked: readonly string[];
  /** Settles with the response to the next request for the list. The test then writes it. */
  held(): Promise<ServerResponse>;
}

export interface ModelServerOptions {
  /** Answers `GET /v1/models`. Without it, the test answers, see `held`. */
  readonly list?: (response: ServerResponse) => void;
  /** Default: a free port. */
  readonly port?: number;
}

/** Answers with a list in OpenAI's form; each model is a name or a whole entry. */
export function listing(...models: readonly (string | object)[]) {
  const data = models.map((model) => (typeof model === "string" ? { id: model, object: "model" } : model));
  return (response: ServerResponse) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ object: "list", data }));
  };
}

export async function createModelServer({ list, port = 0 }: ModelServerOptions = {}): Promise<ModelServer> {
  const asked: string[] = [];
  let waiting = Promise.withResolvers<ServerResponse>();
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    asked.push(path);
    if (path !== "/v1/models") {
      response.statusCode = 404;
      response.end("there is nothing here");
    } else if (list !== undefined) {
      list(response);
    } else {
      waiting.resolve(response);
      waiting = Promise.withResolvers();
    }
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    held: () => waiting.promise,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

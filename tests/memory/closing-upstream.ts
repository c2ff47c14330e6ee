import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answer } from "../doubles/answer.ts";

/** The events up to the first text. */
function halfOf(text: string): string {
  const events = answer({ deltas: [text, "never"] });
  return events.slice(0, events.findIndex((event) => event.includes(text)) + 1).join("");
}

/** The ways in which an upstream ends a call. The requested model names the way. */
const ends: Readonly<Record<string, (response: ServerResponse) => void>> = {
  completes: (response) => void begin(response).end(answer({ deltas: ["An answer."] }).join("")),
  refuses(response) {
    response.writeHead(400, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: { message: "No.", type: "invalid_request_error", code: null } }));
  },
  cuts(response) {
    begin(response).write(halfOf("Half an"), () => response.socket?.destroy());
  },
  fails(response) {
    begin(response).end(
      `data: ${JSON.stringify({ type: "error", code: "server_error", message: "No." })}\n\n`,
    );
  },
  hangs: (response) => void begin(response).write(halfOf("So far")),
  silent: () => undefined,
  floods(response) {
    begin(response).write(answer({}).slice(0, 1).join(""));
    const flood = `data: ${JSON.stringify({ type: "response.output_text.delta", delta: "word ".repeat(2_000) })}\n\n`;
    const pour = () => {
      while (!response.destroyed && response.write(flood));
    };
    response.on("drain", pour);
    pour();
  },
};

/**
 * An upstream that reads requests of any size, keeps nothing of them, and ends each as its model says. So any memory left
 * in this process's heap was left by the server under test.
 */
export async function createClosingUpstream() {
  let onAsked: () => void = () => undefined;
  const server = createServer((request, response) => {
    let head: string | undefined;
    request.on("data", (bytes: Buffer) => {
      head ??= bytes.toString("latin1", 0, 200);
    });
    request.on("end", () => {
      const [, model = "completes"] = /"model":"([a-z]+)"/.exec(head ?? "") ?? [];
      ends[model]?.(response);
      onAsked();
    });
    response.on("error", () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    /** Settles when the next call has been read. */
    asked: () =>
      new Promise<void>((resolve) => {
        onAsked = resolve;
      }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function begin(response: ServerResponse): ServerResponse {
  return response.writeHead(200, { "content-type": "text/event-stream" });
}

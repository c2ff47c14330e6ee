import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createResumableStreamContext } from "resumable-stream";
import { upstreamText } from "./upstream-text.ts";

const { PORT = "0", UPSTREAM_URL = "" } = process.env;

// This server is not suspended after its answers, so no task has to be waited for. Redis is the one of REDIS_URL.
const streams = createResumableStreamContext({ waitUntil: null });

/** The README's first example: the same address starts a stream and resumes it. */
const server = createServer(async ({ url = "" }, response) => {
  const { pathname, searchParams } = new URL(url, "http://localhost");
  const resumeAt = searchParams.get("resumeAt");
  try {
    const stream = await streams.resumableStream(
      pathname,
      () => ReadableStream.from(upstreamText(UPSTREAM_URL)),
      resumeAt === null ? undefined : Number.parseInt(resumeAt, 10),
    );
    if (stream === null) {
      response.writeHead(422).end("Stream is already done");
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    await pipeline(Readable.fromWeb(stream), response);
  } catch (error) {
    if (response.headersSent) response.destroy();
    else response.writeHead(500).end(String(error));
  }
});
server.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`listens on ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

// Answers that are being read go on to their end, and then the process ends.
process.on("SIGTERM", () => server.close(() => process.exit(0)));

import { once } from "node:events";
import { readFileSync } from "node:fs";
import net, { type AddressInfo, type Socket } from "node:net";
import tls from "node:tls";
import { createRequestReader } from "../../tests/doubles/request-reader.ts";
import { answerParent } from "../../tests/long/load/child-program.ts";
import { type AnswerBytes, composeAnswer } from "./answer-bytes.ts";
import { type Api, apiOf } from "./api-events.ts";
import { createTokenWheel, type Flow } from "./token-wheel.ts";

/** Plays a provider for any number of streams, far more cheaply than any relay of them. */
const [keyFile, certificateFile] = process.argv.slice(2);
let wheel = createTokenWheel({ tokensPerSecond: 25, eventsPerPacket: 1 });
let tokensPerAnswer: number | undefined;
let calls = 0;
const composed = new Map<Api, AnswerBytes>();

function answerOf(api: Api): AnswerBytes {
  const answer = composed.get(api) ?? composeAnswer(api, tokensPerAnswer);
  composed.set(api, answer);
  return answer;
}

function serve(socket: Socket): void {
  const reader = createRequestReader();
  let giveUp: (() => void) | undefined;
  socket.setNoDelay(true);
  // The client closes connections in the middle of answers.
  socket.on("error", () => socket.destroy());
  socket.once("close", () => giveUp?.());
  socket.on("data", (received) => {
    for (const { path } of reader.push(received)) {
      const api = apiOf(path);
      if (api === undefined) {
        socket.write("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
        continue;
      }
      calls += 1;
      const answer = answerOf(api);
      socket.write(answer.opening);
      giveUp = wheel.add(socket, answer);
    }
  });
}

async function listen(server: net.Server): Promise<number> {
  server.listen({ host: "127.0.0.1", port: 0, backlog: 4_096 });
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const plainPort = await listen(net.createServer(serve));
const securePort =
  keyFile === undefined || certificateFile === undefined
    ? 0
    : await listen(
        tls.createServer({ key: readFileSync(keyFile), cert: readFileSync(certificateFile) }, serve),
      );

const answers = {
  ports: () => ({ plainPort, securePort }),
  /** Sets the flow of all answers that start after this. */
  flow(flow: Flow) {
    wheel[Symbol.dispose]();
    wheel = createTokenWheel(flow);
    ({ tokensPerAnswer } = flow);
    composed.clear();
  },
  takeState: () => ({ ...wheel.takeLateness(), calls }),
};
export type UpstreamAnswers = typeof answers;

answerParent(answers);

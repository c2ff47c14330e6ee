import type { ClientOptions } from "ws";
import { connect } from "../support/wire-client.ts";
import type { Findings } from "./findings.ts";
import type { RequestRecord } from "./request-record.ts";

const requestsPerConnection = 20;

/** Reads every request again from its start, on new connections, and compares the replay with the record. */
export async function checkReplays(
  url: string,
  records: readonly RequestRecord[],
  findings: Findings,
  handshake: ClientOptions = {},
): Promise<void> {
  // A request without an end is counted as such; waiting for its end would take for ever.
  const ended = records.filter(({ terminalSeq }) => terminalSeq !== undefined);
  for (let start = 0; start < ended.length; start += requestsPerConnection) {
    const some = ended.slice(start, start + requestsPerConnection);
    const client = await connect(url, handshake);
    for (const { ask } of some) client.send({ type: "resume", data: { request_id: ask.id, after_seq: 0 } });
    for (const record of some) {
      const { id } = record.ask;
      const [resumed, ...replayed] = await client.untilTerminal(id);
      const isReplay = resumed?.type === "resumed" && resumed.state === "ended";
      if (!isReplay || resumed.head_seq !== replayed.length)
        findings.note(
          "wrong replays",
          `${id}: ${JSON.stringify(resumed)} before ${replayed.length} messages`,
        );
      compare(
        record,
        replayed.map((message) => JSON.stringify(message)),
        findings,
      );
    }
    client.terminate();
  }
}

function compare({ ask, frames }: RequestRecord, replayed: readonly string[], findings: Findings): void {
  for (let index = 0; index < Math.max(frames.length, replayed.length); index += 1) {
    const [seen, again] = [frames[index], replayed[index]];
    if (seen === again) continue;
    findings.note("wrong replays", `${ask.id} ${index + 1}: seen ${seen}, replayed ${again}`);
    return;
  }
}

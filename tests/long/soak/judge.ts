import type { Findings } from "../../crash/findings.ts";
import type { RequestRecord } from "../../crash/request-record.ts";
import { checkTexts, messagesOf, seenVoices } from "../../crash/seen-texts.ts";
import { breakOf } from "../../crash/upstream-faults.ts";
import { checkTerminal } from "../../crash/verdict.ts";

/** Judges requests one by one as they end, and keeps only counts of them. */
export interface Judge {
  readonly figures: {
    readonly requests: number;
    readonly messages: number;
    readonly completed: number;
    readonly cancelled: number;
    readonly failed: number;
  };
  see(record: RequestRecord): void;
}

/** Texts must equal the upstream's. Only a request that was cancelled or broken off may end incomplete. */
export function createJudge(findings: Findings): Judge {
  const figures = { requests: 0, messages: 0, completed: 0, cancelled: 0, failed: 0 };

  function wrongEnd({ ask }: RequestRecord, what: unknown): void {
    findings.note("wrong ends", `${ask.id}: ${JSON.stringify(what)}`);
  }

  return {
    figures,
    see(record) {
      const { ask } = record;
      const messages = messagesOf(record);
      const end = messages.at(-1);
      const broken = ask.voices.filter((voice) => breakOf(ask.id, voice) !== undefined);
      figures.requests += 1;
      figures.messages += messages.length;
      checkTerminal(record, messages, findings);
      checkTexts(record, messages, findings);
      if (end?.type === "error") {
        figures.failed += 1;
        if (broken.length < ask.voices.length) wrongEnd(record, end);
      } else if (end?.type === "response") {
        figures[end.status] += 1;
        const isWrong =
          end.status === "cancelled" ? ask.cancelAt === undefined : broken.length === ask.voices.length;
        if (isWrong) wrongEnd(record, end);
      }
      for (const { voice, told } of seenVoices(ask, messages)) {
        if (told === "completed" ? broken.includes(voice) : told === "failed" && !broken.includes(voice))
          wrongEnd(record, { voice, told });
      }
    },
  };
}

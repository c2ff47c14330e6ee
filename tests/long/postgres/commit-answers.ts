/** Follows one connection to PostgreSQL from its start, and tells which answers are those of the journal's commits. */
export interface CommitAnswers {
  /** Takes bytes that go to the database. */
  sent(bytes: Buffer): void;
  /** Takes bytes that come from there. Returns how many answers of commits end in them: the database has committed by then. */
  answered(bytes: Buffer): number;
}

/** The start of the name of every statement of the journal; each is a transaction of its own. */
const journalName = "beat ";
const codes = { bind: 0x42, query: 0x51, sync: 0x53, error: 0x45, ready: 0x5a } as const;

/** Splits a stream into messages: a code, the length of all but the code, and the content. */
function createSplitter(onMessage: (code: number, content: Buffer) => void, isStartFirst: boolean) {
  let rest: Buffer = Buffer.alloc(0);
  let codeBytes = isStartFirst ? 0 : 1;
  return (bytes: Buffer) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    while (rest.length >= codeBytes + 4) {
      const end = codeBytes + rest.readUInt32BE(codeBytes);
      if (rest.length < end) return;
      // The first message of a client has no code.
      onMessage(codeBytes === 0 ? 0 : (rest[0] ?? 0), rest.subarray(codeBytes + 4, end));
      rest = rest.subarray(end);
      codeBytes = 1;
    }
  };
}

export function createCommitAnswers(): CommitAnswers {
  /** For each answer that is to come, whether it is that of a beat. */
  const awaited: boolean[] = [];
  let isBeat = false;
  let hasFailed = false;
  let commits = 0;

  const sent = createSplitter((code, content) => {
    if (code === codes.bind) {
      const nameStart = content.indexOf(0) + 1;
      isBeat = content.toString("latin1", nameStart, content.indexOf(0, nameStart)).startsWith(journalName);
    } else if (code === codes.sync || code === codes.query || code === 0) {
      awaited.push(isBeat);
      isBeat = false;
    }
  }, true);
  const answered = createSplitter((code) => {
    if (code === codes.error) hasFailed = true;
    if (code !== codes.ready) return;
    if (awaited.shift() === true && !hasFailed) commits += 1;
    hasFailed = false;
  }, false);

  return {
    sent,
    answered(bytes) {
      commits = 0;
      answered(bytes);
      return commits;
    },
  };
}

import { closeTable } from "../src/protocol/closes.ts";
import { errorTable } from "../src/protocol/errors.ts";
import { wireLimits } from "../src/protocol/limits.ts";
import type { Generator } from "./generator.ts";
import { fillTables, readPage } from "./markdown-tables.ts";
import { clientTypes, serverTypes } from "./protocol-types.ts";

const page = "PROTOCOL.md";

/** Marks a close after which a client comes back, and an error after which it tries again. */
const again = " ↻";

/** The scopes of error codes and their titles, in the order of the page. */
const scopes = [
  ["frame", "Refuses a frame:"],
  ["both", "Refuses a frame, or ends a request or a lane:"],
  ["turn", "Ends a request or a lane:"],
  ["answer", "Stands in a `response`:"],
] as const;

/** The lists and types of PROTOCOL.md, made from the schemas that decode and type the messages. */
export const protocolGenerator: Generator = {
  name: "lists and types of PROTOCOL.md",
  source: "src/protocol",
  outputFile: page,
  async render() {
    const text = await readPage(page);
    const lists: Record<string, string> = {
      "client-messages": clientTypes(),
      "server-messages": serverTypes(),
      errors: scopes.map(([scope, title]) => `${title}\n\n${errorList(scope)}`).join("\n\n"),
      closes: Object.values(closeTable)
        .map(({ code, reconnect, reason }) => `- ${code}${reconnect ? again : ""}: ${reason}`)
        .join("\n"),
      limits: Object.entries(wireLimits)
        .filter(isOfFrames)
        .map(([name, value]) => `- ${wordsOf(name)}: ${value.toLocaleString("en")}`)
        .join("\n"),
    };
    return fillTables(text, lists);
  },
};

/** The codes of a scope. Retryable ones have a mark. */
function errorList(scope: (typeof scopes)[number][0]): string {
  return Object.entries(errorTable)
    .filter(([, row]) => row.scope === scope)
    .map(([code, row]) => `- \`${code}\`${row.retryable ? again : ""}: ${row.message}`)
    .join("\n");
}

/** Limits of single fields stand with the fields, and the server's own in the text. */
const toldElsewhere = [
  "serverMessageBytes",
  ...["idChars", "modelChars", "apiChars", "vendorIdChars", "textChars"],
  ...["personas", "fallbackLinks", "tools", "contextManagement", "metadataPairs", "stops"],
];

function isOfFrames([name]: readonly [name: string, value: number]): boolean {
  return !toldElsewhere.includes(name);
}

function wordsOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

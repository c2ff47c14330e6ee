import { z } from "zod";
import { clientMessages } from "../src/protocol/client-messages.ts";
import { closeTable } from "../src/protocol/closes.ts";
import { errorTable } from "../src/protocol/errors.ts";
import { wireLimits } from "../src/protocol/limits.ts";
import {
  cancelReport,
  failure,
  finishReason,
  publicPersona,
  serverMessages,
  usage,
} from "../src/protocol/server-messages.ts";
import type { Generator } from "./generator.ts";
import { fillTables, readPage, table } from "./markdown-tables.ts";

const page = "PROTOCOL.md";

/** The part of the protocol that an error can answer. */
const answered = { frame: "a frame", turn: "a request or lane", both: "a frame, a request or lane" };

/** The part of JSON Schema that our messages use. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
}

/** The tables of PROTOCOL.md, made from the schemas that decode and type the messages. */
export const protocolGenerator: Generator = {
  name: "tables of PROTOCOL.md",
  source: "src/protocol",
  outputFile: page,
  async render() {
    const text = await readPage(page);
    const tables: Record<string, string> = {
      "client-messages": clientTables(),
      "server-messages": serverTables(),
      errors: table(
        ["code", "answers", "retryable", "sentence"],
        Object.entries(errorTable).map(([code, row]) => [
          `\`${code}\``,
          answered[row.scope],
          row.retryable ? "yes" : "no",
          row.message,
        ]),
      ),
      closes: table(
        ["code", "reconnect", "reason"],
        Object.values(closeTable).map((row) => [String(row.code), row.reconnect ? "yes" : "no", row.reason]),
      ),
      limits: table(
        ["limit", "value"],
        Object.entries(wireLimits).map(([name, value]) => [
          name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`),
          value.toLocaleString("en"),
        ]),
      ),
    };
    return fillTables(text, tables);
  },
};

function schemaOf(schema: z.ZodType, io: "input" | "output"): Schema {
  return z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Schema;
}

/** Tables of the fields that several messages share, each once, and of each message's own fields. */
function clientTables(): string {
  const messages = Object.entries(clientMessages).map(([type, schema]) => {
    const whole = schemaOf(schema, "input");
    const data = whole.properties?.data;
    return { type, title: whole.description ?? "", data: data?.anyOf?.[0] ?? data ?? {} };
  });
  const ofRequests = messages.slice(0, 3).map(({ data }) => data);
  const ofPersonas = ofRequests.slice(1);
  const forAll = sharedNames(ofRequests);
  const forPersonas = sharedNames(ofPersonas).filter((name) => !forAll.includes(name));
  const rowsOf = (data: Schema, names: readonly string[]) =>
    fieldRows(
      only(data, (name) => names.includes(name)),
      "data.",
      true,
    );
  const own = messages.map(({ type, title, data }) => {
    const told = ofRequests.includes(data)
      ? [...forAll, ...(ofPersonas.includes(data) ? forPersonas : [])]
      : [];
    const rows = fieldRows(
      only(data, (name) => !told.includes(name)),
      "data.",
      true,
    );
    const fields = rows.length === 0 ? "No fields in `data`." : fieldTable(rows);
    return `### \`${type}\`\n\n${title}\n\n${fields}`;
  });
  const [first = {}, second = {}] = ofRequests;
  return [
    `### Fields of all three requests\n\n${fieldTable(rowsOf(first, forAll))}`,
    `### Further fields of \`chat\` and \`multi_chat\`\n\n${fieldTable(rowsOf(second, forPersonas))}`,
    ...own,
  ].join("\n\n");
}

/** Names of the fields that are the same in all of these objects. */
function sharedNames(objects: readonly Schema[]): string[] {
  const [first = {}, ...others] = objects.map(({ properties = {} }) => properties);
  return Object.entries(first)
    .filter(([name, field]) => others.every((other) => JSON.stringify(other[name]) === JSON.stringify(field)))
    .map(([name]) => name);
}

function only(schema: Schema, isTold: (name: string) => boolean): Schema {
  const properties = Object.fromEntries(
    Object.entries(schema.properties ?? {}).filter(([name]) => isTold(name)),
  );
  return { ...schema, properties };
}

/** Objects that occur in several messages, each described once. */
const shapes: Readonly<Record<string, z.ZodType>> = {
  usage,
  failure,
  cancel: cancelReport,
  persona: publicPersona,
};
const shapeTexts = new Map(
  Object.entries(shapes).map(([name, schema]) => [shapeText(schemaOf(schema, "output")), name]),
);

const finishReasons = JSON.stringify(finishReason.options);

function shapeText({ properties, required }: Schema): string {
  return JSON.stringify([properties, required]);
}

/** Fields of every numbered message, and fields of several messages. */
const sharedFields = ["request_id", "seq", "persona_id", "simulated", "in_parts", "id"];

function serverTables(): string {
  const messages = Object.entries(serverMessages).map(
    ([type, schema]) => [type, schemaOf(schema, "output")] as const,
  );
  const fieldOf = (type: string, name: string) =>
    fieldRows(
      only(messages.find(([other]) => other === type)?.[1] ?? {}, (other) => other === name),
      "",
    );
  const shared = [
    ...["request_id", "seq", "persona_id", "simulated"].flatMap((name) => fieldOf("status", name)),
    ...fieldOf("tool", "in_parts"),
    ...fieldOf("pong", "id"),
  ];
  const ofShapes = Object.entries(shapes).flatMap(([name, schema]) =>
    fieldRows(schemaOf(schema, "output"), `${name}.`),
  );
  return [
    `### Fields of several messages\n\n${fieldTable(shared)}`,
    `### Shapes\n\nA finish reason is ${finishReason.options.map((reason) => `\`"${reason}"\``).join(", ")}.\n\n${fieldTable(ofShapes)}`,
    ...messages.flatMap(([type, schema]) => tablesOf(type, schema)),
  ].join("\n\n");
}

/** One table, or one for each kind of request that the message can answer. */
function tablesOf(type: string, schema: Schema): string[] {
  const variants = (schema as { oneOf?: Schema[] }).oneOf ?? schema.anyOf ?? [schema];
  return variants.map((variant, index) => {
    const answers = variant.properties?.request_type?.const;
    const title =
      typeof answers === "string" && variants.length > 1 ? `\`${type}\` to \`${answers}\`` : `\`${type}\``;
    const names = Object.keys(variant.properties ?? {});
    const told = sharedFields.filter((name) => names.includes(name));
    // The second and third kind of response differ from the first only in their data.
    const own = only(variant, (name) => name !== "type" && name !== "data" && !told.includes(name));
    const rows = [
      ...(index === 0 ? fieldRows(own, "", true) : []),
      ...fieldRows(variant.properties?.data ?? {}, "data.", true),
    ];
    const also = told.length === 0 ? "" : `Also ${told.map((name) => `\`${name}\``).join(", ")}.`;
    const fields = rows.length === 0 ? "" : fieldTable(rows);
    return [`### ${title}`, [schema.description, also].filter(Boolean).join(" "), fields]
      .filter(Boolean)
      .join("\n\n");
  });
}

/** A message that is nothing but a persona's answer: the answer's fields are described with it. */
function isAnswer({ properties = {} }: Schema): boolean {
  const whole = schemaOf(serverMessages.persona_response, "output").properties ?? {};
  return "index" in properties && Object.keys(properties).every((name) => name in whole);
}

function fieldTable(rows: string[][]): string {
  return table(["field", "type", "", "meaning"], rows);
}

/**
 * `isDeep`: the fields of nested objects get rows of their own, unless the object is one of the shapes or open to any
 * field.
 */
function fieldRows({ properties = {}, required = [] }: Schema, prefix: string, isDeep = false): string[][] {
  return Object.entries(properties).flatMap(([name, field]) => {
    const row = [
      `\`${prefix}${name}\``,
      typeText(field),
      required.includes(name) ? "required" : "",
      field.description ?? field.anyOf?.find((one) => one.description !== undefined)?.description ?? "",
    ];
    const [inner, at] = innerOf(field);
    if (!isDeep || inner === undefined) return [row];
    return [row, ...fieldRows(inner, `${prefix}${name}${at}.`)];
  });
}

/** The object in a field whose members are to be described. */
function innerOf(field: Schema): [Schema | undefined, string] {
  const candidates = [field, ...(field.anyOf ?? [])];
  const list = candidates.find(({ items }) => items !== undefined)?.items;
  const inner = [...candidates, ...(list === undefined ? [] : [list])].find(
    ({ properties }) => properties !== undefined && Object.keys(properties).length > 0,
  );
  if (inner === undefined || shapeTexts.has(shapeText(inner)) || isAnswer(inner)) return [undefined, ""];
  return [inner, inner === list ? "[]" : ""];
}

function patternText(pattern: string | undefined): string {
  if (pattern === undefined) return "";
  return pattern === "\\S" ? ", not only white space" : ` \`${pattern}\``;
}

/** The pattern of a name that another system made. */
const opaqueForm = /^\^\[\^.*\]\{1,(\d+)\}\$$/;

function typeText(schema: Schema): string {
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) {
    if (schema.enum.length > 8) return "a [code](#errors)";
    if (JSON.stringify(schema.enum) === finishReasons) return "a [finish reason](#shapes)";
    return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(", ");
  }
  if (schema.anyOf !== undefined) {
    const kinds = schema.anyOf.filter((one) => one.type !== "null").map(typeText);
    return [...new Set(kinds)].join(" or ");
  }
  const type = typeof schema.type === "string" ? schema.type : schema.type?.find((one) => one !== "null");
  switch (type) {
    case "string": {
      const [, maxChars] = opaqueForm.exec(schema.pattern ?? "") ?? [];
      if (maxChars !== undefined) return `name, 1 to ${Number(maxChars).toLocaleString("en")} characters`;
      return `string${range(schema.minLength, schema.maxLength, " characters")}${patternText(schema.pattern)}`;
    }
    case "number":
    case "integer":
      return `${type}${range(schema.minimum, schema.maximum, "")}`;
    case "array":
      return `array${range(schema.minItems, schema.maxItems, "")} of ${schema.items === undefined ? "values" : typeText(schema.items)}`;
    case "object": {
      const shape = shapeTexts.get(shapeText(schema));
      if (shape !== undefined) return `[${shape}](#shapes)`;
      return isAnswer(schema) ? "the fields of [`persona_response`](#persona_response)" : "object";
    }
    default:
      return type ?? "any JSON";
  }
}

function range(least: number | undefined, most: number | undefined, unit: string): string {
  const known = (value: number | undefined) =>
    value === undefined || Math.abs(value) === Number.MAX_SAFE_INTEGER ? undefined : value;
  const [from, to] = [known(least), known(most)];
  if (from === undefined && to === undefined) return "";
  if (to === undefined) return `, at least ${from}${unit}`;
  return `, ${from ?? 0} to ${to.toLocaleString("en")}${unit}`;
}

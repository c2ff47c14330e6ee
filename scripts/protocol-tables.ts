import { z } from "zod";
import { clientMessages } from "../src/protocol/client-messages.ts";
import { closeTable } from "../src/protocol/closes.ts";
import { errorTable } from "../src/protocol/errors.ts";
import { wireLimits } from "../src/protocol/limits.ts";
import { serverMessages } from "../src/protocol/server-messages.ts";
import type { Generator } from "./generator.ts";
import { fillTables, readPage, table } from "./markdown-tables.ts";

const page = "PROTOCOL.md";

/** What an error answers. */
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
      "client-messages": Object.entries(clientMessages)
        .map(([type, schema]) => clientTable(type, schemaOf(schema, "input")))
        .join("\n\n"),
      "server-messages": Object.entries(serverMessages)
        .flatMap(([type, schema]) => serverTables(type, schemaOf(schema, "output")))
        .join("\n\n"),
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

function clientTable(type: string, schema: Schema): string {
  const data = schema.properties?.data;
  const rows = fieldRows(data?.anyOf?.[0] ?? data ?? {}, "data.");
  const fields = rows.length === 0 ? "No fields in `data`." : table(["field", "type", "", "meaning"], rows);
  return `### \`${type}\`\n\n${schema.description ?? ""}\n\n${fields}`;
}

/** One table, or one for each kind of request that the message can answer. */
function serverTables(type: string, schema: Schema): string[] {
  const variants = (schema as { oneOf?: Schema[] }).oneOf ?? schema.anyOf ?? [schema];
  return variants.map((variant) => {
    const answers = variant.properties?.request_type?.const;
    const title =
      typeof answers === "string" && variants.length > 1 ? `\`${type}\` to \`${answers}\`` : `\`${type}\``;
    const rows = fieldRows(variant, "").filter(([name]) => name !== "`type`");
    const data = variants.length > 1 ? fieldRows(variant.properties?.data ?? {}, "data.") : [];
    return `### ${title}\n\n${schema.description ?? ""}\n\n${table(["field", "type", "", "meaning"], [...rows, ...data])}`;
  });
}

function fieldRows({ properties = {}, required = [] }: Schema, prefix: string): string[][] {
  return Object.entries(properties).map(([name, field]) => [
    `\`${prefix}${name}\``,
    typeText(field),
    required.includes(name) ? "required" : "",
    field.description ?? field.anyOf?.find((one) => one.description !== undefined)?.description ?? "",
  ]);
}

function patternText(pattern: string | undefined): string {
  if (pattern === undefined) return "";
  return pattern === "\\S" ? ", not only white space" : ` \`${pattern}\``;
}

/** The pattern of a name that somebody else made. */
const opaqueForm = /^\^\[\^.*\]\{1,(\d+)\}\$$/;

function typeText(schema: Schema): string {
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) {
    if (schema.enum.length > 8) return "a code of the table below";
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
      const names = Object.keys(schema.properties ?? {});
      return names.length === 0 ? "object" : `object: ${names.map((name) => `\`${name}\``).join(", ")}`;
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

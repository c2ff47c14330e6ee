import { z } from "zod";
import { clientMessages } from "../src/protocol/client-messages.ts";
import { laneRole } from "../src/protocol/fields.ts";
import {
  cancelReport,
  cost,
  failure,
  finishReason,
  publicPersona,
  usage,
} from "../src/protocol/message-fields.ts";
import { serverMessages } from "../src/protocol/server-messages.ts";

/** The part of JSON Schema that our messages use. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
}

type Fields = Readonly<Record<string, Schema>>;

/** An interface of the page: other objects refer to it by its name, or have all its fields and extend it. */
interface Shape {
  readonly name: string;
  readonly schema: Schema;
}

/** An object with more fields is not written out: `/asyncapi.json` has them. */
const maxInnerFields = 8;
const idChars = 128;
const indent = "  ";

/** `data` of each client message, as TypeScript. */
export function clientTypes(): string {
  const messages = Object.entries(clientMessages).map(([name, schema]) => {
    const { data } = schemaOf(schema, "input").properties ?? {};
    return { name, schema: data?.anyOf?.[0] ?? data ?? {} };
  });
  const [openai, chat, multi] = messages.map(({ schema }) => schema);
  const request = sharedShape("AnyRequest", [openai, chat, multi]);
  const told = Object.keys(request.schema.properties ?? {});
  const persona = sharedShape("PersonaRequest", [chat, multi], told);
  const aliases = [
    `type Name = string; // 1 to ${idChars} characters`,
    "type Integer = number;",
    "type Json = Record<string, unknown>;",
  ];
  const bases = [request, persona];
  return fenced([aliases.join("\n"), ...[...bases, ...messages].map((shape) => shapeText(shape, bases))]);
}

/** Each server message without its `type`, as TypeScript. */
export function serverTypes(): string {
  const numbered = schemaOf(serverMessages.chunk, "output").properties ?? {};
  const whole = schemaOf(serverMessages.persona_response, "output").properties ?? {};
  const reply = schemaOf(serverMessages.pong, "output").properties ?? {};
  const bases = [
    shapeOf("Numbered", pick(numbered, ["request_id", "seq"]), ["request_id", "seq"]),
    shapeOf("Speech", pick(numbered, ["round", "role"])),
    shapeOf("OfLane", pick(numbered, ["persona_id"])),
    shapeOf("Spent", pick(whole, ["usage", "cost"])),
    shapeOf("Simulated", pick(whole, ["simulated"])),
    shapeOf("Large", pick(whole, ["in_parts"])),
    shapeOf("Reply", pick(reply, ["id"])),
    { name: "Failure", schema: schemaOf(failure, "output") },
  ];
  const shapes: Shape[] = [
    { name: "Usage", schema: schemaOf(usage, "output") },
    { name: "Cost", schema: schemaOf(cost, "output") },
    { name: "Cancel", schema: schemaOf(cancelReport, "output") },
    { name: "Persona", schema: schemaOf(publicPersona, "output") },
  ];
  const messages = Object.entries(serverMessages).flatMap(([name, schema]) =>
    messageShapes(name, schemaOf(schema, "output")),
  );
  const aliases = [
    "type Integer = number;",
    "type Json = Record<string, unknown>;",
    "type Code = string; // see Errors",
    `type FinishReason = ${finishReason.options.map((reason) => JSON.stringify(reason)).join(" | ")};`,
    `type Role = ${laneRole.options.map((role) => JSON.stringify(role)).join(" | ")};`,
  ];
  const known = [...bases, ...shapes];
  return fenced([
    aliases.join("\n"),
    ...[...known, ...messages].map((shape) => shapeText(shape, bases, [...known, ...messages])),
  ]);
}

/** A message that has a form for each kind of request is one interface, and one for each form of its `data`. */
function messageShapes(name: string, schema: Schema): Shape[] {
  const forms = schema.oneOf ?? schema.anyOf;
  const [first] = forms ?? [];
  if (forms === undefined || first === undefined) return [{ name, schema }];
  const data = forms.map(({ properties = {} }) => ({
    name: `${name}_to_${String(properties.request_type?.const)}`,
    schema: properties.data ?? {},
  }));
  const types = forms.map(({ properties = {} }) => properties.request_type?.const);
  const properties = {
    ...first.properties,
    request_type: { enum: types },
    data: { anyOf: data.map(({ schema: one }) => one) },
  };
  return [{ name, schema: { ...first, properties } }, ...data];
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): Schema {
  return z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Schema;
}

function shapeOf(name: string, properties: Fields, required: readonly string[] = []): Shape {
  return { name, schema: { properties, required } };
}

function pick(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)));
}

function without(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}

/** The fields that are the same in all of these objects. `told` names the fields to leave out, because the page tells them elsewhere. */
function sharedShape(
  name: string,
  [first, ...others]: readonly (Schema | undefined)[],
  told: readonly string[] = [],
): Shape {
  const isNeeded = (schema: Schema | undefined, field: string) => schema?.required?.includes(field) === true;
  const fields = Object.entries(first?.properties ?? {}).filter(([field, form]) =>
    others.every(
      (other) =>
        isSame(other?.properties?.[field], form) && isNeeded(other, field) === isNeeded(first, field),
    ),
  );
  return shapeOf(name, without(Object.fromEntries(fields), told), first?.required);
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Whether the object has all fields of the shape, and needs the same ones. */
function has({ properties = {}, required = [] }: Schema, { schema }: Shape): boolean {
  return Object.entries(schema.properties ?? {}).every(
    ([name, field]) =>
      properties[name] !== undefined &&
      isSame({ ...properties[name], description: "" }, { ...field, description: "" }) &&
      required.includes(name) === (schema.required ?? []).includes(name),
  );
}

function shapeText({ name, schema }: Shape, bases: readonly Shape[], named: readonly Shape[] = []): string {
  const parents = bases.filter((base) => base.name !== name && has(schema, base));
  const inherited = parents.flatMap((parent) => Object.keys(parent.schema.properties ?? {}));
  const fields = without(schema.properties ?? {}, [...inherited, "type"]);
  const lines = fieldLines({ ...schema, properties: fields }, named, indent);
  const isOpen = typeof schema.additionalProperties === "object";
  if (isOpen) lines.push(`${indent}[field: string]: unknown;`);
  const from = parents.length === 0 ? "" : ` extends ${parents.map((parent) => parent.name).join(", ")}`;
  const body = lines.length === 0 ? "{}" : `{\n${lines.join("\n")}\n}`;
  return `interface ${name}${from} ${body}`;
}

function fieldLines({ properties = {}, required = [] }: Schema, named: readonly Shape[], margin: string) {
  return Object.entries(properties).map(([name, field]) => {
    const mark = required.includes(name) ? "" : "?";
    const note = noteOf(field);
    return `${margin}${name}${mark}: ${typeText(field, named, margin)};${note === "" ? "" : ` // ${note}`}`;
  });
}

/** The field's range, then its meaning. */
function noteOf(field: Schema): string {
  const kinds = [field, ...(field.anyOf ?? [])];
  const meaning = kinds.find(({ description }) => description !== undefined)?.description ?? "";
  const ranges = kinds.map(rangeOf).filter((text) => !meaning.startsWith(text));
  return [...new Set(ranges), meaning].filter((text) => text !== "").join(" ");
}

/** The pattern of a name that another system made, which may be empty in a few fields. */
const opaqueForm = /^\^\[\^.*\]\{[01],(\d+)\}\$$/;

function rangeOf({
  pattern = "",
  minimum,
  maximum,
  minLength,
  maxLength,
  minItems,
  maxItems,
}: Schema): string {
  const [, maxChars] = opaqueForm.exec(pattern) ?? [];
  if (maxChars !== undefined) {
    return Number(maxChars) === idChars ? "" : `A name, 1 to ${numberText(Number(maxChars))} characters.`;
  }
  const text = range(minLength, maxLength, " characters") || range(minItems, maxItems, " items");
  if (text !== "") return pattern === "\\S" ? `${text}, not only white space.` : `${text}.`;
  const number = range(minimum, maximum, "");
  return maximum === undefined || number === "" || number.startsWith("At least") ? "" : `${number}.`;
}

function range(least: number | undefined, most: number | undefined, unit: string): string {
  const known = (value: number | undefined) =>
    value === undefined || Math.abs(value) === Number.MAX_SAFE_INTEGER ? undefined : value;
  const [from, to] = [known(least), known(most)];
  if (to === undefined) return from === undefined ? "" : `At least ${from}${unit}`;
  return from === undefined ? `At most ${numberText(to)}${unit}` : `${from} to ${numberText(to)}${unit}`;
}

function numberText(value: number): string {
  return value.toLocaleString("en");
}

function typeText(schema: Schema, named: readonly Shape[], margin: string): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return enumText(schema.enum);
  if (schema.anyOf !== undefined) {
    // The server's messages have names. In a client's frame, `null` is the same as leaving a field out.
    const kinds = schema.anyOf.filter(({ type }) => named.length > 0 || type !== "null");
    return [...new Set(kinds.map((kind) => typeText(kind, named, margin)))].join(" | ");
  }
  const type = typeof schema.type === "string" ? schema.type : schema.type?.find((one) => one !== "null");
  switch (type) {
    case "string":
      return Number(opaqueForm.exec(schema.pattern ?? "")?.[1]) === idChars ? "Name" : "string";
    case "integer":
      return "Integer";
    case "array": {
      const items = typeText(schema.items ?? {}, named, margin);
      return items.includes("|") ? `(${items})[]` : `${items}[]`;
    }
    case "object":
      return objectText(schema, named, margin);
    default:
      return type ?? "unknown";
  }
}

/** Lists of codes and of reasons to finish have a name of their own. */
function enumText(values: readonly unknown[]): string {
  if (isSame(values, finishReason.options)) return "FinishReason";
  if (isSame(values, laneRole.options)) return "Role";
  if (values.length > maxInnerFields) return "Code";
  return values.map((value) => JSON.stringify(value)).join(" | ");
}

function objectText(schema: Schema, named: readonly Shape[], margin: string): string {
  const { properties = {} } = schema;
  const same = named.find(
    ({ schema: other }) => Object.keys(properties).length > 1 && isSame(other.properties, properties),
  );
  if (same !== undefined) return same.name;
  const names = Object.keys(properties);
  const [answer] = named.filter(({ name }) => name === "persona_response");
  // An answer in a list has the fields of the message that is nothing else, without its place.
  if (answer !== undefined && names.includes("index"))
    return `Omit<${answer.name}, keyof (Numbered & Large)>`;
  if (names.length === 0 || names.length > maxInnerFields) return "Json";
  const lines = fieldLines(schema, named, `${margin}${indent}`);
  const isShort = lines.every((line) => !line.includes("//"));
  return isShort ? `{ ${lines.map((line) => line.trim()).join(" ")} }` : `{\n${lines.join("\n")}\n${margin}}`;
}

function fenced(parts: readonly string[]): string {
  return `\`\`\`ts\n${parts.join("\n\n")}\n\`\`\``;
}

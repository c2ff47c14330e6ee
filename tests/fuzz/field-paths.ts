import { z } from "zod";
import { type ClientMessageType, clientMessages } from "../../src/protocol/client-messages.ts";

/** The part of JSON Schema that the client messages' schemas use. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
}

/** One field of one message; an array's item is named `0`. */
export interface FieldPath {
  readonly type: ClientMessageType;
  readonly path: readonly string[];
  /** The schemas of the field: one for each branch of a union. */
  readonly schemas: readonly JsonSchema[];
}

/** Every field of every client message, found in the schemas, so a new field is fuzzed without a change here. */
export function fieldPaths(): FieldPath[] {
  return clientMessageTypes.flatMap((type) => {
    const schema = z.toJSONSchema(clientMessages[type], { io: "input" }) as JsonSchema;
    return [...walk(schema, [])].map(([path, schemas]) => ({ type, path: path.split("/"), schemas }));
  });
}

export const clientMessageTypes = Object.keys(clientMessages) as ClientMessageType[];

/** Paths below a schema with the schemas at each. A recursive schema (`$ref`) has no fields of its own to name. */
function walk(schema: JsonSchema, path: readonly string[]): Map<string, JsonSchema[]> {
  const found = new Map<string, JsonSchema[]>();
  const children = [
    ...Object.entries(schema.properties ?? {}),
    ...(schema.items === undefined ? [] : [["0", schema.items] as const]),
  ];
  for (const [key, child] of children) {
    const below = [...path, key];
    add(found, below.join("/"), alternatives(child));
    for (const alternative of alternatives(child)) {
      for (const [inner, schemas] of walk(alternative, below)) add(found, inner, schemas);
    }
  }
  return found;
}

function alternatives(schema: JsonSchema): JsonSchema[] {
  // An object's own `oneOf` states a rule about its fields.
  const branches = schema.anyOf ?? (schema.properties === undefined ? schema.oneOf : undefined);
  return branches === undefined ? [schema] : branches.flatMap(alternatives);
}

function add(found: Map<string, JsonSchema[]>, path: string, schemas: readonly JsonSchema[]): void {
  found.set(path, [...(found.get(path) ?? []), ...schemas]);
}

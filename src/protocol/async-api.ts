import { z } from "zod";
import { clientMessages } from "./client-messages.ts";
import { serverMessages } from "./server-messages.ts";

type Json = { readonly [name: string]: unknown };

/** Types of the answers to a client's message, besides the messages of its requests. */
const replies: Readonly<Record<string, readonly string[]>> = {
  cancel: ["cancelling", "error"],
  resume: ["resumed", "error"],
  follow: ["following", "error"],
  unfollow: ["unfollowed"],
  ping: ["pong"],
};

/** Types of a request's numbered messages, and of their replacements if they are too large or gone. */
const streamed = [
  "status",
  "chunk",
  "reasoning",
  "tool",
  "persona_response",
  "response",
  "error",
  "reset",
  "part",
];

/**
 * The AsyncAPI 3 document of the socket, made from the schemas that decode and type the messages. Its schemas are JSON Schema draft 7.
 * Schemas of the server's messages allow unknown fields, so that later versions can add some.
 */
export function asyncApi(): Json {
  const client = Object.entries(clientMessages);
  const server = Object.entries(serverMessages);
  const names = [...client, ...server].map(([name]) => name);
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Troupe",
      version: "1.0.0",
      description: "The messages of Troupe's WebSocket. PROTOCOL.md defines their meaning and their order.",
      license: { name: "MIT" },
    },
    defaultContentType: "application/json",
    servers: { local: { host: "localhost:8000", protocol: "ws" } },
    channels: {
      socket: {
        address: "/ws",
        messages: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }])),
        bindings: {
          ws: {
            method: "GET",
            query: { type: "object", properties: { ticket: { type: "string" } } },
          },
        },
      },
    },
    operations: Object.fromEntries([
      ...client.map(([name]) => [name, operation("receive", [name], replies[name] ?? streamed)]),
      [
        "tell",
        operation(
          "send",
          server.map(([name]) => name),
        ),
      ],
    ]),
    components: {
      messages: Object.fromEntries(
        names.map((name) => [name, { name, payload: { $ref: `#/components/schemas/${name}` } }]),
      ),
      schemas: {
        ...Object.fromEntries(client.map(([name, schema]) => [name, schemaOf(schema, "input")])),
        ...Object.fromEntries(server.map(([name, schema]) => [name, schemaOf(schema, "output")])),
        ClientMessage: { oneOf: client.map(([name]) => ({ $ref: `#/components/schemas/${name}` })) },
        ServerMessage: { oneOf: server.map(([name]) => ({ $ref: `#/components/schemas/${name}` })) },
      },
    },
  };
}

function operation(action: "send" | "receive", messages: readonly string[], reply?: readonly string[]): Json {
  const refs = (names: readonly string[]) =>
    names.map((name) => ({ $ref: `#/channels/socket/messages/${name}` }));
  const channel = { $ref: "#/channels/socket" };
  return {
    action,
    channel,
    messages: refs(messages),
    ...(reply === undefined ? {} : { reply: { channel, messages: refs(reply) } }),
  };
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): unknown {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, target: "draft-7" });
  return io === "input" ? rest : open(rest);
}

/** A client must accept unknown fields, because a later server may send them. */
function open(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(open);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, member]) => name !== "additionalProperties" || member !== false)
      .map(([name, member]) => [name, open(member)]),
  );
}

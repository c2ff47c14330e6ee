/** Fixed limits of the wire, in one place; PROTOCOL.md prints them. Limits that a setting can change stand with the settings. */
export const wireLimits = {
  /** Largest client message, bytes of UTF-8. */
  messageBytes: 1024 * 1024,
  /** Largest server message, bytes of UTF-8; a larger one comes in parts. */
  serverMessageBytes: 1024 * 1024,
  /** Most fragments one client message may come in. */
  messageFragments: 128,
  /** Longest time from the first byte of one client message to its last, milliseconds. */
  messageMs: 60_000,
  /** Messages of one connection: in the long run, and at once after a pause. More than that closes it. */
  messagesPerSecond: 1_000,
  messagesAtOnce: 20_000,
  /** The same for the pings and pongs of the WebSocket protocol. */
  controlFramesPerSecond: 100,
  controlFramesAtOnce: 1_000,
  /** Deepest nesting of a client message's JSON. */
  messageDepth: 32,
  /** Max members of objects and items of arrays in a client message's JSON, all levels together. */
  messageValues: 20_000,
  /** Max members of one object in it. */
  objectMembers: 5_000,
  /** Longest id of a request, persona or conversation, characters. */
  idChars: 128,
  /** Longest name of a model, characters. */
  modelChars: 256,
  /** Longest name of a provider, characters. */
  apiChars: 64,
  /** Longest id that a vendor made, characters. Gateways put names and ids of their own into one. */
  vendorIdChars: 1_024,
  /** Longest text of one request, UTF-16 code units (the frame limit may be reached first). */
  textChars: 1_000_000,
  /** Most personas that one `multi_chat` can name. */
  personas: 16,
  /** Most tools of one request. */
  tools: 128,
  /** Max entries of `options.context_management`. */
  contextManagement: 32,
  /** Max pairs of `options.metadata`. Vendors take 16. */
  metadataPairs: 64,
} as const;

/** The fixed limits of the wire; PROTOCOL.md prints them. Limits that a setting can change are defined with the settings. */
export const wireLimits = {
  /** Max client message, bytes of UTF-8. */
  messageBytes: 1024 * 1024,
  /** Max server message, bytes of UTF-8; a larger one comes in parts. */
  serverMessageBytes: 1024 * 1024,
  /** Max fragments of one client message. */
  messageFragments: 128,
  /** Max time from the first byte of one client message to its last, milliseconds. */
  messageMs: 60_000,
  /** Messages of one connection: in the long run, and at once after a pause. More close it. */
  messagesPerSecond: 1_000,
  messagesAtOnce: 20_000,
  /** The same for the pings and pongs of the WebSocket protocol. */
  controlFramesPerSecond: 100,
  controlFramesAtOnce: 1_000,
  /** Max nesting of a client message's JSON. */
  messageDepth: 32,
  /** Max members of objects and items of arrays in a client message's JSON, all levels together. */
  messageValues: 20_000,
  /** Max members of one object in it. */
  objectMembers: 5_000,
  /** Max id of a request, persona or conversation, characters. */
  idChars: 128,
  /** Max name of a model, characters. */
  modelChars: 256,
  /** Max name of a provider, characters. */
  apiChars: 64,
  /** Max id from a vendor, characters. Gateways put names and ids of their own into it. */
  vendorIdChars: 1_024,
  /** Max text of one request, UTF-16 code units (the frame limit may be reached first). */
  textChars: 1_000_000,
  /** Max personas of one `multi_chat`. */
  personas: 16,
  /** Max links of one request's `fallback`. */
  fallbackLinks: 8,
  /** Max items of one request's `input`, and parts of one item. */
  inputItems: 1_000,
  inputParts: 256,
  /** Max tools of one request. */
  tools: 128,
  /** Max texts of `options.stop`. Vendors take 4 or 5. */
  stops: 16,
  /** Max entries of `options.context_management`. */
  contextManagement: 32,
  /** Max pairs of `options.metadata`. Vendors take 16. */
  metadataPairs: 64,
} as const;

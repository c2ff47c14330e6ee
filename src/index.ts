/** The server: `createTroupe` for embedding in an HTTP server, `listen` for an HTTP server of its own. */

export type { TroupeConfig } from "./compose/config-file.ts";
export { createTroupe, type Troupe, type TroupeOptions } from "./compose/create-troupe.ts";
export { type Listening, listen } from "./compose/listen.ts";
export type { Logger } from "./compose/log-observer.ts";
export type { Settings } from "./compose/settings.ts";
export type { Authenticate, AuthenticatedCaller } from "./doors/identity/embedded-callers.ts";
export type { Clock } from "./ports/clock.ts";
export {
  type FunctionTool,
  type Item,
  type ItemPart,
  type MessageItem,
  type ProviderState,
  type ReasoningItem,
  type SourceItem,
  type ToolCallItem,
  type ToolResultItem,
  textMessages,
} from "./ports/item.ts";
export type { JsonObject, JsonValue } from "./ports/json.ts";
export type { Observer } from "./ports/observer.ts";
export type { Persona, PersonaStore, PublicPersona } from "./ports/persona.ts";
export type { ListedApi, ProviderCatalog, ProviderChoice } from "./ports/provider.ts";
export {
  Departure,
  type FinishReason,
  type Provider,
  type ProviderCall,
  type ProviderEvent,
  type ProviderRequest,
  type Usage,
} from "./ports/provider.ts";
export { type ErrorCode, TroupeError, type TroupeErrorOptions } from "./protocol/errors.ts";

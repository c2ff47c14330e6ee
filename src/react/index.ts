export type { Send, ShownRequest } from "./request-store.ts";
export { type Troupe, useTroupe } from "./use-troupe.ts";
export { useWebSocket, type WebSocketView } from "./use-web-socket.ts";

export { type BackoffOptions, exponentialBackoff } from "./backoff.ts";
export {
  createTroupeClient,
  type FollowOptions,
  type RequestOptions,
  type TroupeClient,
  type TroupeClientOptions,
} from "./client.ts";
export type { ConnectionLoss, ConnectionState } from "./connection-state.ts";
export type { FollowedRequest } from "./follow-table.ts";
export type { Fetch } from "./handshake-refusal.ts";
export type {
  RequestData,
  RequestStanding,
  RequestType,
  ResponseMessage,
  TroupeRequest,
} from "./request.ts";
export { type LocalErrorCode, type RequestFailure, TroupeRequestError } from "./request-error.ts";
export type { SetTimer, SocketConstructor, SocketEvent, SocketLike } from "./socket.ts";
export type { StoredConversation, StoredMessage } from "./stored-conversation.ts";
export { type TicketUrlOptions, ticketUrl } from "./ticket-url.ts";
export {
  type AnswerSource,
  createTranscript,
  failTranscript,
  foldMessage,
  followAgain,
  type Lane,
  type LaneStatus,
  type ToolActivity,
  type Transcript,
  type Usage,
} from "./transcript.ts";

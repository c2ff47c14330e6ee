import { brokenStreams } from "../../doubles/broken-streams.ts";
import { errorEventFaults } from "../../doubles/error-event-faults.ts";
import type { FaultShape } from "../../doubles/fault-shape.ts";
import { httpFaults } from "../../doubles/http-faults.ts";
import { looseFailures, looseStreams } from "../../doubles/loose-streams.ts";
import { toleratedStreams } from "../../doubles/tolerated-streams.ts";
import { type FaultVendor, responsesVendor } from "./fault-vendor.ts";

/** Shapes that no frame can have: redirects, bodies that are no event stream, `event:` lines, and a last line that is not ended. */
const ofHttp =
  /^(http-30\d-elsewhere|json-error|json-instead-of-stream|error-line-.*|type-in-event-line|last-event-open|end-clean-until-close)$/;
/** Bodies that end in order without a terminal event. A socket that does so is a broken connection. */
const endings = /^(end-clean|end-in-half-an-event|empty-body|comments-only)$/;

function overSocket(shape: FaultShape): FaultShape[] {
  if (ofHttp.test(shape.name)) return [];
  if (!endings.test(shape.name)) return [shape];
  return [{ ...shape, expect: { ...shape.expect, code: "upstream_disconnected" } }];
}

/** The Responses API over WebSockets. Refusals come as error frames, and the end of a stream as a close of the socket. */
export const socketVendor: FaultVendor = {
  ...responsesVendor,
  name: "responses over WebSocket",
  shapes: [
    ...httpFaults,
    ...errorEventFaults,
    ...brokenStreams,
    ...toleratedStreams,
    ...looseStreams,
    ...looseFailures,
  ].flatMap(overSocket),
  webSocket: true,
  options: (openaiBaseUrl, openaiApiKey) => ({ openaiApiKey, openaiBaseUrl, openaiTransport: "websocket" }),
};

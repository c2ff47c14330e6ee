import { brokenStreams } from "./broken-streams.ts";
import { byteShapes } from "./byte-shapes.ts";
import { errorEventFaults } from "./error-event-faults.ts";
import type { FaultShape } from "./fault-shape.ts";
import { httpFaults } from "./http-faults.ts";
import { looseFailures, looseStreams } from "./loose-streams.ts";
import { toleratedStreams } from "./tolerated-streams.ts";
import { unreachableUpstreams } from "./unreachable-upstreams.ts";
import { unusualHeads } from "./unusual-heads.ts";

/** Every known way in which an upstream fails or is odd, each with the correct reaction of a server. */
export const faultShapes: readonly FaultShape[] = [
  ...unreachableUpstreams,
  ...httpFaults,
  ...unusualHeads,
  ...errorEventFaults,
  ...brokenStreams,
  ...toleratedStreams,
  ...byteShapes,
  ...looseStreams,
  ...looseFailures,
];

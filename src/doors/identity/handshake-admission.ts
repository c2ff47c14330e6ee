import type { IncomingMessage } from "node:http";
import type { Caller } from "../../ports/caller.ts";
import type { Access } from "./access.ts";
import type { Callers } from "./callers.ts";
import type { ClientAddress } from "./client-address.ts";
import { tokenProtocol } from "./credentials.ts";
import { type Refusal, refusals } from "./refusals.ts";

interface HandshakeAdmissionOptions {
  readonly access: Access;
  readonly callers: Callers;
  readonly clientAddress: ClientAddress;
}

/**
 * Returns a function that finds the caller of a handshake, or the refusal. A plain request for the socket's path (`isHandshake` false)
 * gets the answer of a handshake with the same head. A ticket in its URL is neither checked nor used up.
 */
export function createHandshakeAdmission({ access, callers, clientAddress }: HandshakeAdmissionOptions) {
  return async (request: IncomingMessage, isHandshake: boolean): Promise<Caller | Refusal> => {
    const refusal = access.refuseHead(request);
    if (refusal !== undefined) return refusal;
    const { headers, url = "" } = request;
    // A plain request has the secret in a header, a browser's handshake in a subprotocol.
    const protocols = isHandshake ? headers["sec-websocket-protocol"] : protocolOf(headers.authorization);
    const ticket = isHandshake ? ticketIn(url) : undefined;
    const address = clientAddress(request);
    const who = await callers.identify(
      { authorization: headers.authorization, protocols, ticket, address },
      request,
    );
    const caller = "role" in who ? refusals.needsKey : who;
    const holdsKey = callers.admission === "keys" && !("status" in caller);
    const { host, origin } = headers;
    return access.refuseOrigin({ host, origin, protocols, holdsKey }) ?? caller;
  };
}

function ticketIn(url: string): string | undefined {
  return new URLSearchParams(url.split("?", 2)[1]).get("ticket") ?? undefined;
}

function protocolOf(authorization = ""): string | undefined {
  const secret = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  return secret && `${tokenProtocol}${secret}`;
}

import type { Clock } from "../../../ports/clock.ts";
import type { UpstreamFetch } from "../../upstream/upstream-call.ts";
import { fromSdkError } from "../openai-errors.ts";
import { createSdkClient, type SdkClientOptions } from "../sdk-client.ts";
import { ModelSocket } from "./model-socket.ts";
import { accepted, hasNoWebSocket } from "./socket-call.ts";

/**
 * Whether an endpoint takes a WebSocket: opens one and closes it, which costs no tokens. Rejects with the error of a call if the upgrade
 * fails or is refused for another reason. An abort ends it with `upstream_disconnected`.
 */
export async function takesWebSocket(
  { clock, ...options }: SdkClientOptions & { readonly clock: Clock },
  signal: AbortSignal,
): Promise<boolean> {
  const { sdk, toError } = createSdkClient(options);
  let status = 0;
  const upgrade: UpstreamFetch = async (address, { headers = {} } = {}) => {
    const socket = new ModelSocket({
      ...{ url: new URL(address), headers, agents: options.agents, nowMs: clock.now() },
    });
    const close = () => socket.terminate();
    signal.addEventListener("abort", close, { once: true });
    try {
      const refusal = await socket.opened;
      status = refusal?.status ?? 101;
      return refusal ?? accepted;
    } finally {
      signal.removeEventListener("abort", close);
      close();
    }
  };
  try {
    await sdk.postOver(upgrade, "/responses", {});
    return status === 101;
  } catch (thrown) {
    if (status !== 0 && hasNoWebSocket(status)) return false;
    throw toError(fromSdkError(thrown, clock.wallTimeMs()), { model: "", input: [] });
  }
}

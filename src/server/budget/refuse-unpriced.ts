import type { TurnRequest } from "../../ports/turn-request.ts";
import { TroupeError } from "../../protocol/errors.ts";

/** Tools that the client runs itself: they cost only tokens. */
const ownTools: ReadonlySet<unknown> = new Set(["function", "custom"]);
/** Tiers whose tokens cost no more than the model's price (`flex` costs less). */
const pricedTiers: ReadonlySet<unknown> = new Set(["auto", "default", "flex"]);

/**
 * If money is limited, refuses parts of a request that cost more than its model's tokens, because no setting holds a price for them.
 * Throws `invalid_message` with the field at fault.
 */
export function refuseUnpriced(request: TurnRequest): void {
  if (request.kind !== "responses") return;
  const { tools = [], options } = request;
  const unpriced = tools.findIndex(({ type }) => !ownTools.has(type));
  if (unpriced >= 0) throw refusal(`tools.${unpriced}`, "tools that the provider runs");
  if (options.service_tier !== undefined && !pricedTiers.has(options.service_tier))
    throw refusal("options.service_tier", "this service tier");
  // The prompt may name another model, and tools of its own.
  if (options.prompt !== undefined) throw refusal("options.prompt", "prompts that the provider keeps");
}

function refusal(field: string, part: string): TroupeError {
  return new TroupeError("invalid_message", {
    field,
    detail: `Money is limited here, and there is no price for ${part}.`,
  });
}

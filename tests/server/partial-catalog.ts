import type { Provider, ProviderCatalog } from "../../src/ports/provider.ts";
import { TroupeError } from "../../src/protocol/errors.ts";

/** A catalog in which `provider` answers every api but two: "none" is not configured, and "broken" has a defect. */
export function partialCatalog(provider: Provider): ProviderCatalog {
  return {
    choose(api) {
      if (api === "none") throw new TroupeError("provider_not_configured", { field: "data.api" });
      if (api === "broken") throw new TypeError("It breaks.");
      return { provider, api, model: "m" };
    },
  };
}

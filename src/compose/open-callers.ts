import { isLoopback } from "../adapters/http/access.ts";
import { type Callers, type CallersOptions, createCallers } from "../adapters/http/callers.ts";
import type { Clock } from "../ports/clock.ts";
import type { Stores } from "./open-stores.ts";
import type { Settings } from "./settings.ts";

/** Who may come, as the settings and the keys that were given out say. */
export function openCallers(settings: Settings, stores: Stores, clock: Clock): Callers {
  return createCallers({
    admission: admissionOf(settings, stores),
    newId: clock.newId,
    fixedKeys: settings.apiKeys,
    keys: stores.keys,
    keysBefore: stores.keysBefore,
    adminKey: settings.adminKey,
    tickets: stores.tickets,
    attempts: stores.attempts,
  });
}

function admissionOf(
  { apiKeys, adminKey, allowAnonymous, host }: Settings,
  { keysBefore }: Stores,
): CallersOptions["admission"] {
  const hasKeys = keysBefore.some(({ revokedAtMs }) => revokedAtMs === undefined);
  if (apiKeys.length > 0 || adminKey !== undefined || hasKeys) return "keys";
  return allowAnonymous || !isLoopback(host) ? "separate" : "shared";
}

import { type Callers, createCallers } from "../doors/identity/callers.ts";
import { type Authenticate, createEmbeddedCallers } from "../doors/identity/embedded-callers.ts";
import type { Clock } from "../ports/clock.ts";
import type { Observer } from "../ports/observer.ts";
import { anonymousLimitsOf } from "./anonymous-settings.ts";
import { decideAdmission, refuseOtherWays } from "./decide-admission.ts";
import type { Stores } from "./open-stores.ts";
import type { Settings } from "./settings.ts";

export interface OpenCallersOptions {
  readonly settings: Settings;
  readonly stores: Stores;
  readonly clock: Clock;
  readonly authenticate: Authenticate | undefined;
  readonly observer: Observer;
}

/** Decides the admission of callers, from the settings and the keys given out. Throws the same as `decideAdmission`. */
export function openCallers(options: OpenCallersOptions): Callers {
  const { settings, stores, clock, authenticate, observer } = options;
  if (authenticate !== undefined) {
    refuseOtherWays(settings);
    return createEmbeddedCallers({ authenticate, clock });
  }
  const hasStoredKeys = stores.keysBefore.some(({ revokedAtMs }) => revokedAtMs === undefined);
  const admission = decideAdmission(settings, hasStoredKeys);
  const anonymousLimits = anonymousLimitsOf(settings);
  const isLimited = Object.values(anonymousLimits).some((limits) => Object.keys(limits).length > 0);
  if (admission === "separate" && !isLimited) {
    observer.warned?.({
      message:
        "callers without keys have no shared limits: set TROUPE_MAX_CONNECTIONS_PER_ADDRESS, TROUPE_ADDRESS_REQUESTS_PER_MINUTE, TROUPE_ANONYMOUS_TOKENS_PER_DAY or similar ones",
    });
  }
  return createCallers({
    admission,
    anonymousLimits,
    newId: clock.newId,
    fixedKeys: settings.apiKeys,
    keys: stores.keys,
    keysBefore: stores.keysBefore,
    adminKey: settings.adminKey,
    tickets: stores.tickets,
    attempts: stores.attempts,
  });
}

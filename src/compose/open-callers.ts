import { hostName, isLoopback, urlHost } from "../doors/identity/access.ts";
import { type Admission, type Callers, createCallers } from "../doors/identity/callers.ts";
import { type Authenticate, createEmbeddedCallers } from "../doors/identity/embedded-callers.ts";
import type { Clock } from "../ports/clock.ts";
import type { Observer } from "../ports/observer.ts";
import { anonymousLimitsOf } from "./anonymous-settings.ts";
import { SettingError, type Settings } from "./settings.ts";
import type { Stores } from "./stores.ts";

interface OpenCallersOptions {
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

/**
 * Decides how callers are admitted, from the settings and from whether keys were given out before (`hasStoredKeys`).
 * Throws a `SettingError` if users of other machines could get in and would all be the same caller, and for a key that does not identify
 * its owner.
 */
function decideAdmission(settings: Settings, hasStoredKeys: boolean): Exclude<Admission, "authenticate"> {
  const { apiKeys, adminKey, allowAnonymous } = settings;
  refuseBadNames(settings);
  refuseSharedKeys(settings);
  if (apiKeys.length > 0 || adminKey !== undefined || hasStoredKeys) return "keys";
  if (allowAnonymous) return "separate";
  const way = wayForOthers(settings);
  if (way === undefined) return "shared";
  throw new SettingError(
    `${way} would let others in without keys; set TROUPE_API_KEYS or TROUPE_ADMIN_KEY, or TROUPE_ALLOW_ANONYMOUS=true if that is intended`,
  );
}

/**
 * Checks the settings of an embedding program that knows its users itself, and alone admits them. Throws a `SettingError` for settings
 * that would also admit others, or are malformed.
 */
function refuseOtherWays(settings: Settings): void {
  const { apiKeys, adminKey, allowAnonymous } = settings;
  refuseBadNames(settings);
  if (apiKeys.length > 0 || adminKey !== undefined || allowAnonymous)
    throw new SettingError(
      "authenticate alone decides who may come; leave out TROUPE_API_KEYS, TROUPE_ADMIN_KEY and TROUPE_ALLOW_ANONYMOUS",
    );
}

/** The first setting that lets in users of other machines. The host of an allowed origin is served as well. */
function wayForOthers({ host, allowedHosts, allowedOrigins, trustedProxies }: Settings): string | undefined {
  if (!isLoopback(host)) return `HOST ${host}`;
  const name = allowedHosts.find((entry) => !isLoopback(hostName(urlHost(entry)) ?? ""));
  if (name !== undefined) return `TROUPE_ALLOWED_HOSTS ${name}`;
  const origin = allowedOrigins.find((entry) => !isLoopback(new URL(entry).hostname));
  if (origin !== undefined) return `TROUPE_ALLOWED_ORIGINS ${origin}`;
  return trustedProxies.length > 0 ? `TROUPE_TRUSTED_PROXIES ${trustedProxies.join(",")}` : undefined;
}

/** An embedding program may pass values that the command line would have refused. */
function refuseBadNames({ allowedHosts, allowedOrigins }: Settings): void {
  const host = allowedHosts.find((entry) => hostName(urlHost(entry)) === undefined);
  if (host !== undefined) throw new SettingError(`TROUPE_ALLOWED_HOSTS: ${host} is no host name`);
  const origin = allowedOrigins.find((entry) => !URL.canParse(entry));
  if (origin !== undefined) throw new SettingError(`TROUPE_ALLOWED_ORIGINS: ${origin} is no origin`);
}

function refuseSharedKeys({ apiKeys, adminKey }: Settings): void {
  const ownerOf = new Map<string, string>();
  for (const { owner, key } of apiKeys) {
    if (key === adminKey)
      throw new SettingError(`TROUPE_ADMIN_KEY is also the key of ${owner} in TROUPE_API_KEYS`);
    const other = ownerOf.get(key) ?? owner;
    if (other !== owner) throw new SettingError(`TROUPE_API_KEYS: ${other} and ${owner} have the same key`);
    ownerOf.set(key, owner);
  }
}

import { hostName, isLoopback, urlHost } from "../adapters/http/access.ts";
import type { Admission } from "../adapters/http/callers.ts";
import { SettingError, type Settings } from "./settings.ts";

/**
 * Who may come, as the settings and the keys that were given out before say (`hasStoredKeys`).
 * Throws a `SettingError` if others than this machine's users could come and all would be the same caller, and if a key does not
 * tell whose it is.
 */
export function decideAdmission(
  settings: Settings,
  hasStoredKeys: boolean,
): Exclude<Admission, "authenticate"> {
  const { apiKeys, adminKey, allowAnonymous } = settings;
  refuseBadNames(settings);
  refuseSharedKeys(settings);
  if (apiKeys.length > 0 || adminKey !== undefined || hasStoredKeys) return "keys";
  if (allowAnonymous) return "separate";
  const way = wayForOthers(settings);
  if (way === undefined) return "shared";
  throw new SettingError(
    `${way} would let others in without keys; set TROUPE_API_KEYS or TROUPE_ADMIN_KEY, or TROUPE_ALLOW_ANONYMOUS=true if that is meant`,
  );
}

/**
 * An embedding program that knows its users itself is the only one that is asked. Throws a `SettingError` for settings that would let
 * in others as well, or are malformed.
 */
export function refuseOtherWays(settings: Settings): void {
  const { apiKeys, adminKey, allowAnonymous } = settings;
  refuseBadNames(settings);
  if (apiKeys.length > 0 || adminKey !== undefined || allowAnonymous)
    throw new SettingError(
      "authenticate alone decides who may come; leave out TROUPE_API_KEYS, TROUPE_ADMIN_KEY and TROUPE_ALLOW_ANONYMOUS",
    );
}

/** The first setting by which others than this machine's users can come. The host of an allowed origin is served as well. */
function wayForOthers({ host, allowedHosts, allowedOrigins, trustedProxies }: Settings): string | undefined {
  if (!isLoopback(host)) return `HOST ${host}`;
  const name = allowedHosts.find((entry) => !isLoopback(hostName(urlHost(entry)) ?? ""));
  if (name !== undefined) return `TROUPE_ALLOWED_HOSTS ${name}`;
  const origin = allowedOrigins.find((entry) => !isLoopback(new URL(entry).hostname));
  if (origin !== undefined) return `TROUPE_ALLOWED_ORIGINS ${origin}`;
  return trustedProxies.length > 0 ? `TROUPE_TRUSTED_PROXIES ${trustedProxies.join(",")}` : undefined;
}

/** What the command line refuses before, an embedding program may give. */
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

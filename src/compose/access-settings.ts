import { z } from "zod";
import { hostName, urlHost } from "../doors/identity/access.ts";
import { networkFault, parseNetwork } from "../doors/identity/client-address.ts";
import { flag, list } from "./setting-kinds.ts";

const keyForm = /^([\w.-]{1,64})=([\w.-]{16,128})$/;

function readKeys(entries: readonly string[], context: z.RefinementCtx): { owner: string; key: string }[] {
  return entries.map((entry) => {
    const [, owner, key] = keyForm.exec(entry) ?? [];
    if (owner !== undefined && key !== undefined) return { owner, key };
    context.addIssue({
      code: "custom",
      message: "each must be owner=key, the key 16 to 128 of A-Z a-z 0-9 _ . -",
    });
    return z.NEVER;
  });
}

function refuseNames(entries: readonly string[], context: z.RefinementCtx): void {
  for (const entry of entries)
    if (hostName(urlHost(entry)) === undefined)
      context.addIssue({ code: "custom", message: `${entry.slice(0, 100)} is no host name` });
}

function refuseNetworks(entries: readonly string[], context: z.RefinementCtx): void {
  for (const entry of entries)
    if (parseNetwork(entry) === undefined) context.addIssue({ code: "custom", message: networkFault(entry) });
}

/** The settings for access: allowed callers, pages and host names. */
export const accessSettings = {
  apiKeys: {
    name: "TROUPE_API_KEYS",
    hasParts: true,
    schema: list.transform(readKeys).default([]),
    help: "keys that callers need, as owner=key, comma-separated; each owner sees only its own",
  },
  adminKey: {
    name: "TROUPE_ADMIN_KEY",
    schema: z
      .string()
      .regex(/^[\w.-]{16,128}$/, "16 to 128 of A-Z a-z 0-9 _ . -")
      .optional(),
    help: "key that gives out and revokes callers' keys over HTTP; with it callers need keys",
  },
  allowedOrigins: {
    name: "TROUPE_ALLOWED_ORIGINS",
    hasParts: true,
    schema: list.pipe(z.array(z.url({ protocol: /^https?$/ }))).default([]),
    help: "origins of pages that may connect, comma-separated",
  },
  allowedHosts: {
    name: "TROUPE_ALLOWED_HOSTS",
    hasParts: true,
    schema: list.superRefine(refuseNames).default([]),
    help: "host names under which the server may be addressed, comma-separated; others than this machine's need keys",
  },
  trustedProxies: {
    name: "TROUPE_TRUSTED_PROXIES",
    hasParts: true,
    schema: list.superRefine(refuseNetworks).default([]),
    help: "proxies whose X-Forwarded-For or Forwarded tells a client's address: addresses or CIDR blocks, comma-separated",
  },
  allowAnonymous: {
    name: "TROUPE_ALLOW_ANONYMOUS",
    schema: flag,
    help: "true: serve callers from other machines without keys; each caller sees only its own data",
  },
  foreignVendorIds: {
    name: "TROUPE_FOREIGN_VENDOR_IDS",
    schema: flag,
    help: "true: requests may name responses, conversations and files at the provider that this server did not make; for a single caller only",
  },
  sharedVendorIds: {
    name: "TROUPE_SHARED_VENDOR_IDS",
    hasParts: true,
    schema: list.default([]),
    help: "ids at the provider that every caller may name, such as vector stores and prompts, comma-separated",
  },
} as const;

import { z } from "zod";
import { flag, list } from "./setting-kinds.ts";

const keyForm = /^([\w.-]{1,64})=([\w.-]{16,128})$/;

function readKeys(entries: readonly string[], context: z.RefinementCtx): { owner: string; key: string }[] {
  return entries.map((entry) => {
    const [, owner, key] = keyForm.exec(entry) ?? [];
    if (owner !== undefined && key !== undefined) return { owner, key };
    context.addIssue({
      code: "custom",
      message: "write owner=key, the key 16 to 128 of A-Z a-z 0-9 _ . -",
    });
    return z.NEVER;
  });
}

/** The settings that decide who may come, from where and under which name. */
export const accessSettings = {
  apiKeys: {
    name: "TROUPE_API_KEYS",
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
    schema: list.pipe(z.array(z.url({ protocol: /^https?$/ }))).default([]),
    help: "origins of pages that may connect, comma-separated",
  },
  allowedHosts: {
    name: "TROUPE_ALLOWED_HOSTS",
    schema: list.default([]),
    help: "host names under which the server may be addressed, comma-separated",
  },
  allowAnonymous: {
    name: "TROUPE_ALLOW_ANONYMOUS",
    schema: flag,
    help: "true: listen beyond this machine without keys; each caller sees only what is its own",
  },
  foreignVendorIds: {
    name: "TROUPE_FOREIGN_VENDOR_IDS",
    schema: flag,
    help: "true: requests may name responses, conversations and files at the provider that this server did not make; for a single caller only",
  },
  sharedVendorIds: {
    name: "TROUPE_SHARED_VENDOR_IDS",
    schema: list.default([]),
    help: "ids at the provider that every caller may name, such as vector stores and prompts, comma-separated",
  },
} as const;

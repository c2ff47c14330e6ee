import type { FallbackLink, ProviderChoice } from "../../ports/provider-catalog.ts";
import type { TroupeConfig } from "../config-file.ts";
import { nearestName } from "../nearest-name.ts";
import { SettingError, type Settings } from "../settings.ts";
import { vendors } from "./vendors.ts";

/** A link as the operator wrote it. Without a model it is asked for the same one if it has that, otherwise for its own. */
export interface NamedLink {
  readonly api: string;
  readonly model: string | undefined;
  readonly hasLargerContext: boolean;
}

/** The links after each `api`, or after one model of it (`api/model`). */
export type Chains = ReadonlyMap<string, readonly NamedLink[]>;

/**
 * The chains of the config file, and those of TROUPE_FALLBACK that it lacks. Throws a `SettingError` for a name that no endpoint can have,
 * and for a chain that comes to the same link twice.
 */
export function chainsOf(
  { fallback: named = [] }: Settings,
  { fallback = {}, providers = {} }: TroupeConfig = {},
): Chains {
  const known = [...Object.keys(providers), ...Object.keys(vendors)];
  const chains = new Map<string, readonly NamedLink[]>();
  for (const [first, ...rest] of named) if (first !== undefined) add("TROUPE_FALLBACK", first, rest);
  for (const [first, rest] of Object.entries(fallback)) add("fallback in the config file", first, rest);

  function add(where: string, first: string, rest: readonly ConfiguredLink[]): void {
    const links = rest.map(linkOf);
    const names = [linkOf(first), ...links];
    for (const { api } of names) if (!known.includes(api)) throw unknownName(where, api, known);
    const written = names.map(nameOf);
    const repeated = written.find((name, at) => written.indexOf(name) !== at);
    if (repeated !== undefined) throw new SettingError(`${where}: a chain comes to ${repeated} twice`);
    chains.set(first, links);
  }

  return chains;
}

type ConfiguredLink = string | { readonly to: string; readonly largerContext?: boolean };

/** Reads a link as it is written. An `api` has no slash, but a model may. */
export function linkOf(written: ConfiguredLink): NamedLink {
  const { to, largerContext = false } = typeof written === "string" ? { to: written } : written;
  const [, api = to, model] = /^([^/]*)\/(.*)$/s.exec(to) ?? [];
  return { api, model, hasLargerContext: largerContext };
}

/** A link as it is written. */
export function nameOf({ api, model }: Pick<NamedLink, "api" | "model">): string {
  return model === undefined ? api : `${api}/${model}`;
}

function unknownName(where: string, api: string, known: readonly string[]): SettingError {
  const near = nearestName(api, known, 2);
  const advice = near === undefined ? "" : `; did you mean ${near}?`;
  return new SettingError(`${where}: no endpoint has the name ${api.slice(0, 64)}${advice}`);
}

/** The endpoints in the chains. */
export function apisIn(chains: Chains): ReadonlySet<string> {
  return new Set([...chains].flatMap(([first, links]) => [linkOf(first), ...links].map(({ api }) => api)));
}

/** Warnings of links that cannot answer, because their endpoint has no key. */
export function uselessLinks(chains: Chains, names: readonly string[]): string[] {
  return [...apisIn(chains)]
    .filter((api) => !names.includes(api))
    .map(
      (api) => `"${api}" in a fallback is left out: no such endpoint is configured, and no key of it is set`,
    );
}

/** The links after a choice. `resolve` finds the choice of a link; `undefined` if it cannot answer now. */
export function fallbacksOf(
  chains: Chains,
  choice: ProviderChoice,
  resolve: (link: NamedLink) => ProviderChoice | undefined,
): readonly FallbackLink[] {
  const links = chains.get(nameOf(choice)) ?? chains.get(choice.api) ?? [];
  return links.flatMap((link) => {
    const found = resolve(link);
    const isSame = found?.api === choice.api && found.model === choice.model;
    return found === undefined || isSame ? [] : [{ ...found, hasLargerContext: link.hasLargerContext }];
  });
}

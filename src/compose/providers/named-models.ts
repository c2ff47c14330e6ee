import type { TroupeConfig } from "../config-file.ts";
import type { Settings } from "../settings.ts";
import { chainsOf, linkOf } from "./chains.ts";

/** Every model that the operator has named: in the settings, and in the endpoints, chains and prices of the config file. */
export function modelsNamedIn(settings: Settings, configuration: TroupeConfig = {}): ReadonlySet<string> {
  const { providers = {}, prices = {} } = configuration;
  const ofProviders = Object.values(providers).flatMap(({ model = [], models = [] }) =>
    [model, models].flat(),
  );
  const links = [...chainsOf(settings, configuration)].flatMap(([first, rest]) => [linkOf(first), ...rest]);
  // A price is of a model, or of an endpoint's model.
  const priced = Object.keys(prices).flatMap((name) => [name, linkOf(name).model ?? []].flat());
  return new Set([
    settings.model,
    ...settings.prices.map(({ model }) => model),
    ...ofProviders,
    ...links.flatMap(({ model }) => model ?? []),
    ...priced,
  ]);
}

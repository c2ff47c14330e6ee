import { isObject } from "../../ports/json.ts";
import type { ProviderRequest } from "../../ports/provider.ts";
import { has } from "./omissions.ts";

/**
 * For each parameter that a call may lack, in the words of a request, its paths in the call (`OmissionRules.droppable`). It was sent if one
 * of them is there.
 */
export type ParameterPlaces = Readonly<Record<string, readonly string[]>>;

/**
 * The parameters that a request asks for and its call does not have: the model is known not to take them, or it has refused them. They are
 * told to the client.
 */
export function ignoredParameters(
  request: ProviderRequest,
  sent: unknown,
  places: ParameterPlaces,
): string[] {
  return Object.entries(places).flatMap(([name, paths]) =>
    isAsked(request, name) && !paths.some((path) => has(sent, path.split("."))) ? [name] : [],
  );
}

function isAsked({ temperature, options = {} }: ProviderRequest, name: string): boolean {
  if (name === "temperature" && temperature !== undefined) return true;
  if (name !== "reasoning.effort") return options[name] != null;
  const { reasoning } = options;
  // A model that cannot think does not think, as asked.
  return isObject(reasoning) && reasoning.effort != null && reasoning.effort !== "none";
}

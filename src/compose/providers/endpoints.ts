import { type PricedVendor, pricedVendors } from "../../adapters/genai-prices/published-prices.ts";
import type { ConfiguredProvider, TroupeConfig } from "../config-file.ts";
import { allSettings, defaultSettings, type SettingKey, type Settings } from "../settings.ts";
import { type Endpoint, hasTransport } from "./open-endpoint.ts";
import { keyIn, vendors } from "./vendors.ts";

/** The endpoints that the operator has named: those of the config file in its order, then vendors whose key is in the settings. */
export function endpointsOf(settings: Settings, { providers = {} }: TroupeConfig = {}): Endpoint[] {
  const named = Object.entries(providers).map(([name, given]) => configured(name, given, settings));
  const byKey = Object.keys(vendors)
    .filter((name) => !Object.hasOwn(providers, name) && isSwitchedOn(name, settings))
    .map((name) => configured(name, {}, settings));
  return [...named, ...byKey];
}

function isSwitchedOn(name: string, settings: Settings): boolean {
  const vendor = vendors[name];
  if (vendor === undefined) return false;
  return keyIn(settings, vendor) !== undefined || (name === "openai" && settings.openaiBaseUrl !== undefined);
}

/** An endpoint of the file, completed by the settings and by its vendor's defaults. */
function configured(name: string, given: ConfiguredProvider, settings: Settings): Endpoint {
  const vendor = vendors[name];
  const ofOpenai = name === "openai" ? openaiSettings(settings) : undefined;
  const key = vendor === undefined ? undefined : keyIn(settings, vendor);
  const addressSetting = vendor?.address;
  const address = given.baseUrl ?? (addressSetting && settings[addressSetting]);
  const baseUrl = (address ?? vendor?.baseUrl ?? "").replace(/\/+$/, "");
  const usualKind = vendor?.kind === "responses" && !isOpenai(baseUrl) ? "spoken" : vendor?.kind;
  const inFile = (field: keyof ConfiguredProvider) => `providers.${name}.${field} in the config file`;
  const kind = given.kind ?? usualKind ?? "spoken";
  const keySetting = key?.from ?? vendor?.keys[0];
  return {
    name,
    title: address === undefined && vendor !== undefined ? vendor.title : new URL(baseUrl).host,
    kind,
    baseUrl,
    apiKey: given.key ?? key?.key,
    organization: given.organization ?? ofOpenai?.organization,
    project: given.project ?? ofOpenai?.project,
    headers: given.headers ?? ofOpenai?.headers,
    transport: hasTransport(kind) ? (given.transport ?? ofOpenai?.transport) : undefined,
    dialect: given.dialect,
    keepsResponses: vendor?.keepsResponses,
    pricedAs: given.pricedAs ?? vendorAt(baseUrl),
    model: given.model,
    models: given.models ?? [],
    settings: {
      key: given.key === undefined && keySetting !== undefined ? variableOf(keySetting) : inFile("key"),
      baseUrl:
        given.baseUrl === undefined && addressSetting !== undefined
          ? variableOf(addressSetting)
          : inFile("baseUrl"),
    },
  };
}

/** The line that tells the operator of an OPENAI_TRANSPORT that the config file leaves without use; `undefined` if there is none. */
export function unusedTransport(
  settings: Settings,
  { providers = {} }: TroupeConfig = {},
): string | undefined {
  const kind = providers.openai?.kind;
  if (settings.openaiTransport !== "websocket" || kind === undefined || hasTransport(kind)) return undefined;
  return `OPENAI_TRANSPORT=websocket changes nothing: providers.openai of the config file has the kind ${kind}, whose calls travel over HTTP`;
}

/** The vendor whose prices the calls to an address cost. A server that only speaks a vendor's API has other prices, or none. */
function vendorAt(baseUrl: string): PricedVendor | undefined {
  const { hostname } = new URL(baseUrl);
  if (hostname.endsWith(".openai.azure.com")) return "azure";
  if (isOpenai(baseUrl)) return "openai";
  return pricedVendors.find((name) => hostname === hostOf(vendors[name]?.baseUrl));
}

function hostOf(address: string | undefined): string | undefined {
  return address === undefined ? undefined : new URL(address).hostname;
}

/** A local server that was found, which answers `openai`. */
export function foundEndpoint(baseUrl: string, model: string): Endpoint {
  return {
    ...{ name: "openai", title: new URL(baseUrl).host, kind: "spoken", baseUrl, apiKey: undefined },
    keepsResponses: false,
    ...{ model, models: [], settings: { key: "OPENAI_API_KEY", baseUrl: "OPENAI_BASE_URL" } },
  };
}

function openaiSettings(settings: Settings) {
  return {
    organization: settings.openaiOrganization,
    project: settings.openaiProject,
    headers: settings.openaiHeaders,
    transport: settings.openaiTransport,
  };
}

function isOpenai(baseUrl: string): boolean {
  return /(^|\.)openai\.com$/.test(new URL(baseUrl).hostname);
}

/** The environment variable of a setting. */
export function variableOf(key: SettingKey): string {
  return allSettings.find((setting) => setting.key === key)?.name ?? key;
}

/** TROUPE_MODEL, if it was set to something of its own. */
export function namedModel({ model }: Settings): string | undefined {
  return model === defaultSettings().model ? undefined : model;
}

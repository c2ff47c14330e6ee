import { randomBytes } from "node:crypto";
import { createOutputChecker } from "../adapters/ajv/output-checker.ts";
import { systemClock } from "../adapters/system/system.ts";
import { FastReads } from "../adapters/upstream/fast/fast-reads.ts";
import { createUpstreamAgents } from "../adapters/upstream/upstream-call.ts";
import type { Callers } from "../doors/identity/callers.ts";
import { type ClientAddress, createClientAddress } from "../doors/identity/client-address.ts";
import type { Budgets } from "../ports/budgets.ts";
import type { Clock } from "../ports/clock.ts";
import type { Observer } from "../ports/observer.ts";
import type { OutputChecker } from "../ports/output-checker.ts";
import type { PersonaStore } from "../ports/persona.ts";
import type { Prices } from "../ports/prices.ts";
import type { VendorIds } from "../ports/vendor-ids.ts";
import { type ChosenPersonas, choosePersonas } from "./choose-personas.ts";
import { type ChosenProviders, chooseProviders } from "./choose-providers.ts";
import { combineObservers } from "./combine-observers.ts";
import { decodeConfig, readConfigFile, type TroupeConfig } from "./config-file.ts";
import { type Logger, LogObserver } from "./log-observer.ts";
import { openCallers } from "./open-callers.ts";
import { openPrices, warnOfPrices } from "./open-prices.ts";
import { proxiesOf } from "./provider-settings.ts";
import { completeSettings } from "./read-settings.ts";
import { type RequestMemory, requestMemory } from "./request-memory.ts";
import { SettingError, type Settings } from "./settings.ts";
import type { OpenStores, Stores } from "./stores.ts";
import type { TroupeOptions } from "./troupe.ts";

/** The options of a server, checked and completed. */
interface Basis {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: () => number;
  readonly observer: Observer;
  readonly logger: Logger;
  readonly path: string;
  readonly pageToken: string;
  /** Another process chooses its providers in the same way, and reports and warns about them instead. */
  readonly isWorker: boolean;
}

/** The parts of a server that its turns and its doors are made of. */
export interface Parts extends Basis {
  readonly clientAddress: ClientAddress;
  readonly providers: ChosenProviders;
  readonly personas: PersonaStore;
  readonly shownPersonas: ChosenPersonas["shown"];
  readonly stores: Stores;
  readonly callers: Callers;
  readonly vendorIds: VendorIds;
  readonly outputs: OutputChecker;
  readonly budgets: Budgets;
  readonly prices: Prices;
  readonly memory: RequestMemory;
  /** Closes providers and connections to them, then the stores. */
  close(): Promise<void>;
}

const pathForm = /^(\/[\w~-]+)+$/;
const nothing = () => undefined;
const silent: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** Completes the options with their defaults. Throws a `SettingError` for a setting or a path that cannot be used. */
export function readBasis(options: TroupeOptions, isWorker: boolean): Basis {
  const settings = completeSettings(options);
  const { clock = systemClock, random = Math.random, logger, observer, path = "/ws" } = options;
  if (!pathForm.test(path))
    throw new SettingError("path: write it as /ws or /chat/ws, each part of A-Z a-z 0-9 _ ~ -");
  const log = logger === undefined ? [] : [new LogObserver(logger, clock)];
  return {
    ...{ settings, clock, random, path, isWorker },
    observer: combineObservers(observer === undefined ? log : [...log, observer]),
    logger: logger ?? silent,
    pageToken: options.pageToken ?? randomBytes(16).toString("hex"),
  };
}

/** Opens the parts. `begun` disposes them in reverse if the start fails. */
export async function openParts(
  basis: Basis,
  options: TroupeOptions,
  open: OpenStores,
  begun: AsyncDisposableStack,
): Promise<Parts> {
  const { settings, clock, random, observer, isWorker } = basis;
  const { authenticate } = options;
  // One process tells of all.
  const told = isWorker ? {} : observer;
  const onWarning = (message: string) => told.warned?.({ message });
  const fastReads = new FastReads({ isOn: settings.fastReads, onMissing: onWarning });
  const agents = begun.use(createUpstreamAgents(proxiesOf(settings), fastReads));
  const configuration = await configurationOf(options, settings);
  const providers = begun.use(
    await chooseProviders(settings, {
      ...{ clock, agents, random, own: options.providers, configuration },
      observer: told,
      ownObserver: observer,
    }),
  );
  const prices = await openPrices(settings, { models: providers, configuration, clock });
  warnOfPrices(settings, prices, { models: providers, observer: told });
  const { store: personas, shown } = await choosePersonas(options.personas, authenticate !== undefined);
  const stores = begun.use(await open(settings, { clock, observer, onWarning }));
  const outputs = begun.use(createOutputChecker({ clock }));
  const callers = openCallers({ settings, stores, clock, authenticate, observer });
  return {
    ...basis,
    clientAddress: createClientAddress(settings.trustedProxies),
    ...{ providers, prices, personas, shownPersonas: shown, stores, callers, outputs },
    vendorIds: await openVendorIds(settings, stores, callers),
    budgets: await stores.openBudgets(prices),
    memory: requestMemory(settings),
    async close() {
      providers[Symbol.dispose]();
      agents[Symbol.dispose]();
      await outputs[Symbol.asyncDispose]();
      await stores[Symbol.asyncDispose]();
    },
  };
}

/** The configuration that a program gives, or the file that it names. Rejects with a `SettingError`. */
async function configurationOf(
  { configuration }: TroupeOptions,
  { config }: Settings,
): Promise<TroupeConfig | undefined> {
  if (configuration !== undefined) return decodeConfig(configuration, "configuration", {});
  return config === undefined ? undefined : readConfigFile(config, process.env);
}

/**
 * The vendor ids that callers may name, as the settings say. Rejects with a `SettingError` if foreign ids are allowed and there may be
 * several callers.
 */
async function openVendorIds(settings: Settings, stores: Stores, callers: Callers): Promise<VendorIds> {
  const { note, isOwn } = stores.vendorIds;
  if (settings.foreignVendorIds) {
    if (!isSingleCaller(settings, stores, callers)) {
      throw new SettingError(
        "TROUPE_FOREIGN_VENDOR_IDS would let each caller continue what others asked; it is for a server of a single caller",
      );
    }
    // They are recorded all the same, in case the setting is removed later.
    return { note, isOwn: async () => true };
  }
  const shared = new Set(settings.sharedVendorIds);
  return { note, isOwn: async (owner, id) => shared.has(id) || (await isOwn(owner, id)) };
}

function isSingleCaller(
  { apiKeys, adminKey }: Settings,
  { keysBefore }: Stores,
  { admission }: Callers,
): boolean {
  if (admission !== "keys") return admission === "shared";
  const given = keysBefore.filter(({ revokedAtMs }) => revokedAtMs === undefined);
  return adminKey === undefined && new Set([...apiKeys, ...given].map(({ owner }) => owner)).size === 1;
}

import { readNoProxy } from "../adapters/upstream/no-proxy.ts";
import { anonymousSettings } from "./anonymous-settings.ts";
import { nearestName } from "./nearest-name.ts";
import { allSettings, type SettingKey, type Settings } from "./settings.ts";
import { vendorSettings } from "./vendor-settings.ts";

interface NotedSettings {
  readonly env: NodeJS.ProcessEnv;
  readonly fileEnv: NodeJS.ProcessEnv;
  /** The given settings, each with the name under which it was given. */
  readonly given: ReadonlyMap<SettingKey, string>;
  readonly settings: Settings;
}

const names = allSettings.flatMap(({ name, lowerCaseToo }) =>
  lowerCaseToo === true ? [name, name.toLowerCase()] : [name],
);
/** Variables of the Python client and of the project's scripts. */
const ofOthers = new Set(["TROUPE_KEY", "TROUPE_TEST_CONCURRENCY"]);
/** Other programs' names for a setting of Troupe. */
const otherNames: ReadonlyMap<string, string> = new Map([
  ["OPENAI_API_BASE", "OPENAI_BASE_URL"],
  ["OPENAI_BASE", "OPENAI_BASE_URL"],
  ["OPENAI_ENDPOINT", "OPENAI_BASE_URL"],
  ["OPENAI_API_HOST", "OPENAI_BASE_URL"],
  ["OPENAI_HOST", "OPENAI_BASE_URL"],
  ["OPENAI_KEY", "OPENAI_API_KEY"],
  ["OPENAI_TOKEN", "OPENAI_API_KEY"],
  ["OPENAI_ORGANIZATION", "OPENAI_ORG_ID"],
  ["OPENAI_ORG", "OPENAI_ORG_ID"],
  ["OPENAI_PROJECT", "OPENAI_PROJECT_ID"],
  ["OPENAI_MODEL", "TROUPE_MODEL"],
  ["OPENAI_LOG", "LOG_LEVEL"],
  ["OPENAI_PROXY", "HTTPS_PROXY"],
]);
/** Variables that Node reads at its start, before the file is read. */
const readByNode = /^NODE_(EXTRA_CA_CERTS|OPTIONS|TLS_REJECT_UNAUTHORIZED|USE_SYSTEM_CA)$/;

/** One line for each misspelt variable, and for each setting without effect. Values are not quoted, because they may be keys. */
export function settingNotes({ env, fileEnv, given, settings }: NotedSettings): string[] {
  const late = Object.keys(fileEnv).filter((name) => readByNode.test(name) && env[name] === undefined);
  return [
    ...Object.keys(env).flatMap((name) => unknownName(name, "")),
    ...Object.keys(fileEnv).flatMap((name) => (name in env ? [] : unknownName(name, " in .env"))),
    ...late.map((name) => `${name} in .env changes nothing: Node reads it before; set it in the environment`),
    ...unused(given, settings),
    ...unreadableHosts(given, settings),
  ];
}

function unknownName(name: string, where: string): string[] {
  if (names.includes(name) || ofOthers.has(name)) return [];
  const meant = nameMeantBy(name);
  if (meant !== undefined)
    return [`${name}${where} is no setting of Troupe and changes nothing; did you mean ${meant}?`];
  if (!/^TROUPE_/i.test(name)) return [];
  return [`${name}${where} is no setting of Troupe and changes nothing; --help lists them all`];
}

function nameMeantBy(name: string): string | undefined {
  if (!/^[a-z_]{2,80}$/i.test(name)) return undefined;
  const other = otherNames.get(name.toUpperCase());
  if (other !== undefined) return other;
  if (/^TROUPE_/i.test(name)) return nearestName(name, names, 4);
  if (/^OPENAI_/i.test(name)) return nearestName(name, names, 2);
  const near = nearestName(name, namesNear(name), name.length < 10 ? 1 : 2);
  // One letter replaced in a word of four makes another word: POST, HOSE.
  const isOtherWord = near?.length === 4 && name.length === 4 && sorted(name) !== sorted(near);
  return isOtherWord ? undefined : near;
}

const keysOfVendors = new Set(Object.values(vendorSettings).map((setting) => setting.name as string));

/** The names that a variable may be a slip of. The keys of two vendors often differ in one letter, as `XAI_API_KEY` and `ZAI_API_KEY`. */
function namesNear(written: string): readonly string[] {
  const vendorOf = (name: string) => name.split("_", 1)[0] ?? "";
  return names.filter((name) => {
    const vendor = vendorOf(name);
    return !keysOfVendors.has(name) || vendor.length > 5 || vendor === vendorOf(written);
  });
}

const sorted = (word: string) => [...word.toUpperCase()].sort().join("");

/** Settings without effect, each with the reason. */
function unused(given: NotedSettings["given"], settings: Settings): string[] {
  const { openaiApiKey, openaiBaseUrl, databaseUrl, allowAnonymous, apiKeys, adminKey, moneyPerDay } =
    settings;
  const store = databaseUrl === undefined ? settings.store : "postgres";
  const hasOpenai = openaiApiKey !== undefined || openaiBaseUrl !== undefined;
  const ofOpenai = openaiApiKey === undefined ? "OPENAI_BASE_URL" : "OPENAI_API_KEY";
  const vendor = Object.entries(vendorSettings).find(([key]) => given.has(key as SettingKey))?.[1].name;
  const provider = hasOpenai ? ofOpenai : vendor;
  const hasKeys = apiKeys.length > 0 || adminKey !== undefined;
  const isSeparate = allowAnonymous && !hasKeys;
  const cases: readonly (readonly [applies: boolean, keys: readonly SettingKey[], reason: string])[] = [
    [provider !== undefined, ["localProviders"], `${provider} chooses the provider`],
    [
      !hasOpenai,
      ["openaiOrganization", "openaiProject", "openaiHeaders", "openaiTransport"],
      "neither OPENAI_API_KEY nor OPENAI_BASE_URL is set",
    ],
    [
      store === "memory",
      ["synchronous", "answerRetentionMs", "usageDays"],
      "TROUPE_STORE=memory has no database",
    ],
    [store !== "memory", ["conversationBytes"], "it is for TROUPE_STORE=memory"],
    [store === "postgres", ["store", "synchronous"], "TROUPE_DATABASE_URL names the database"],
    [store !== "postgres", ["databaseConnections"], "it is for TROUPE_DATABASE_URL"],
    [store !== "postgres", ["redisUrl"], "it is for several servers with the same TROUPE_DATABASE_URL"],
    [moneyPerDay === undefined, ["prices", "fallbackPrice"], "TROUPE_MONEY_PER_DAY is not set"],
    [
      allowAnonymous && hasKeys,
      ["allowAnonymous"],
      "with TROUPE_API_KEYS or TROUPE_ADMIN_KEY every caller needs a key",
    ],
    [
      !isSeparate,
      Object.keys(anonymousSettings) as SettingKey[],
      "it limits callers without keys, which TROUPE_ALLOW_ANONYMOUS lets in",
    ],
    [settings.foreignVendorIds, ["sharedVendorIds"], "TROUPE_FOREIGN_VENDOR_IDS allows all ids"],
  ];
  const keptMs = 15 * 60_000;
  const isShortened = store === "memory" && given.has("logRetentionMs") && settings.logRetentionMs > keptMs;
  const shortened = `${given.get("logRetentionMs")} counts as ${keptMs}: TROUPE_STORE=memory keeps nothing longer`;
  const notes = cases
    .filter(([applies]) => applies)
    .flatMap(([, keys, reason]) =>
      keys.flatMap((key) => {
        const from = given.get(key);
        return from === undefined ? [] : [`${from} changes nothing: ${reason}`];
      }),
    );
  return isShortened ? [...notes, shortened] : notes;
}

function unreadableHosts(given: NotedSettings["given"], { noProxy = "", ...settings }: Settings): string[] {
  if ((settings.httpProxy ?? settings.httpsProxy ?? settings.allProxy) === undefined) return [];
  return readNoProxy(noProxy).unreadable.map(
    (entry) =>
      `${given.get("noProxy")}: ${entry.slice(0, 100)} is no name, address or block, and covers nothing`,
  );
}

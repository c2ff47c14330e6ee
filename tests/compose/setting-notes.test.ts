import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { allSettings } from "../../src/compose/settings.ts";
import { notesOf } from "./notes-of.ts";
import { refusal } from "./refusal.ts";

describe("a name that is no setting", () => {
  const meant: Readonly<Record<string, string>> = {
    ...{
      TROUPE_MODLE: "TROUPE_MODEL",
      TROUPE_MODELS: "TROUPE_MODEL",
      TROUPE_MODE: "TROUPE_MODEL",
      troupe_model: "TROUPE_MODEL",
    },
    ...{
      TROUPE_WORKER: "TROUPE_WORKERS",
      TROUPE_API_KEY: "TROUPE_API_KEYS",
      TROUPE_ALOWED_HOSTS: "TROUPE_ALLOWED_HOSTS",
    },
    ...{ TROUP_MODEL: "TROUPE_MODEL", TROUPEMODEL: "TROUPE_MODEL", TROUPE_PERSONA: "" },
    ...{ PORTT: "PORT", PROT: "PORT", PORTS: "PORT", PRT: "PORT", port: "PORT", HOSTT: "HOST", HSOT: "HOST" },
    ...{ LOGLEVEL: "LOG_LEVEL", LOG_LEVLE: "LOG_LEVEL" },
    ...{ OPENAI_APIKEY: "OPENAI_API_KEY", OPENAI_KEY: "OPENAI_API_KEY", OPEN_AI_API_KEY: "OPENAI_API_KEY" },
    ...{
      OPENAI_API_BASE: "OPENAI_BASE_URL",
      OPENAI_BASEURL: "OPENAI_BASE_URL",
      OPENAI_BASE_URI: "OPENAI_BASE_URL",
    },
    ...{
      OPENAI_ORGANIZATION: "OPENAI_ORG_ID",
      OPENAI_PROJECT: "OPENAI_PROJECT_ID",
      OPENAI_MODEL: "TROUPE_MODEL",
    },
    ...{ OPENAI_LOG: "LOG_LEVEL", OPENAI_CUSTOM_HEADER: "OPENAI_CUSTOM_HEADERS" },
    ...{ HTTPPROXY: "HTTP_PROXY", HTTPS_PROXYS: "HTTPS_PROXY", NOPROXY: "NO_PROXY" },
  };
  for (const [name, right] of Object.entries(meant)) {
    it(`${name} is told, with ${right || "the list"}, and its value is not`, () => {
      const advice = right === "" ? "; --help lists them all" : `; did you mean ${right}?`;
      const line = (where: string) => [
        `${name}${where} is no setting of Troupe and changes nothing${advice}`,
      ];
      assert.deepEqual(notesOf({ [name]: "s3cret" }), line(""));
      assert.deepEqual(notesOf({}, { [name]: "s3cret" }), line(" in .env"));
    });
  }

  it("but a variable of another program is no slip", () => {
    const others = [
      ...[
        "PATH",
        "HOME",
        "HOSTNAME",
        "POST",
        "SORT",
        "SHELL",
        "USER",
        "PWD",
        "LANG",
        "TERM",
        "PORTAL",
        "HOSTTYPE",
        "LOGNAME",
        "MODEL",
      ],
      ...[
        "FTP_PROXY",
        "ftp_proxy",
        "SOCKS_PROXY",
        "RSYNC_PROXY",
        "DATABASE_URL",
        "AZURE_OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
      ],
      ...[
        "npm_config_port",
        "npm_package_version",
        "NODE_OPTIONS",
        "NODE_EXTRA_CA_CERTS",
        "DATA",
        "TROUPE_KEY",
        "OPENAI_API_VERSION",
      ],
    ];
    assert.deepEqual(notesOf(Object.fromEntries(others.map((name) => [name, "x"]))), []);
  });

  it("is refused as a flag, with the right one, and so is a flag without a value or twice", () => {
    for (const [args, line] of [
      [["--nonsense", "1"], "Unknown option '--nonsense'; --help lists them all"],
      [["--modle", "x"], "Unknown option '--modle'; did you mean --model?"],
      [["--troupe-model", "x"], "Unknown option '--troupe-model'; did you mean --model?"],
      [["--openai-org-id", "x"], "Unknown option '--openai-org-id'; did you mean --openai-organization?"],
      [["-p", "80"], "Unknown option '-p'; --help lists them all"],
      [["--port"], "--port: its value is missing"],
      [["--port", "--host", "x"], "--port: its value is missing"],
      [["--port", "1", "--port", "2"], "--port: it is given twice"],
      [["8080"], "8080: this is no flag; write --name value (--help lists the names)"],
      [["--port=-5"], "--port: it must be a whole number from 0 to 65535"],
    ] as const)
      assert.equal(refusal(args), line);
  });
});

describe("a setting that changes nothing", () => {
  const given: readonly (readonly [Record<string, string>, string])[] = [
    [{ TROUPE_LOCAL_PROVIDERS: "http://a/v1", OPENAI_API_KEY: "k" }, "OPENAI_API_KEY chooses the provider"],
    [
      { TROUPE_LOCAL_PROVIDERS: "http://a/v1", OPENAI_BASE_URL: "http://a/v1" },
      "OPENAI_BASE_URL chooses the provider",
    ],
    [{ OPENAI_ORG_ID: "o" }, "neither OPENAI_API_KEY nor OPENAI_BASE_URL is set"],
    [{ OPENAI_PROJECT_ID: "p" }, "neither OPENAI_API_KEY nor OPENAI_BASE_URL is set"],
    [{ OPENAI_TRANSPORT: "websocket" }, "neither OPENAI_API_KEY nor OPENAI_BASE_URL is set"],
    [{ OPENAI_CUSTOM_HEADERS: "a: b" }, "neither OPENAI_API_KEY nor OPENAI_BASE_URL is set"],
    [{ TROUPE_SYNCHRONOUS: "FULL", TROUPE_STORE: "memory" }, "TROUPE_STORE=memory has no database"],
    [{ TROUPE_ANSWER_RETENTION_MS: "1", TROUPE_STORE: "memory" }, "TROUPE_STORE=memory has no database"],
    [{ TROUPE_USAGE_DAYS: "1", TROUPE_STORE: "memory" }, "TROUPE_STORE=memory has no database"],
    [
      { TROUPE_STORE: "memory", TROUPE_DATABASE_URL: "postgres://ada:s3cret@db/troupe" },
      "TROUPE_DATABASE_URL names the database",
    ],
    [
      { TROUPE_SYNCHRONOUS: "FULL", TROUPE_DATABASE_URL: "postgres://ada:s3cret@db/troupe" },
      "TROUPE_DATABASE_URL names the database",
    ],
    [
      { REDIS_URL: "rediss://ada:s3cret@redis:6380" },
      "it is for several servers with the same TROUPE_DATABASE_URL",
    ],
    [{ TROUPE_CONVERSATION_BYTES: "9999" }, "it is for TROUPE_STORE=memory"],
    [{ TROUPE_PRICES: "a=1/2" }, "TROUPE_MONEY_PER_DAY is not set"],
    [{ TROUPE_FALLBACK_PRICE: "1/2" }, "TROUPE_MONEY_PER_DAY is not set"],
    [
      { TROUPE_ALLOW_ANONYMOUS: "true", TROUPE_API_KEYS: "ada=0123456789abcdef" },
      "with TROUPE_API_KEYS or TROUPE_ADMIN_KEY every caller needs a key",
    ],
    ...allSettings
      .filter(({ name }) => /ADDRESS|ANONYMOUS/.test(name) && !/HTTP|ALLOW/.test(name))
      .map(
        ({ name }) =>
          [{ [name]: "5" }, "it limits callers without keys, which TROUPE_ALLOW_ANONYMOUS lets in"] as const,
      ),
    [
      { TROUPE_SHARED_VENDOR_IDS: "a", TROUPE_FOREIGN_VENDOR_IDS: "true" },
      "TROUPE_FOREIGN_VENDOR_IDS allows all ids",
    ],
  ];
  for (const [env, reason] of given) {
    const [name = ""] = Object.keys(env);
    it(`${JSON.stringify(env)}: ${name} is told`, () => {
      assert.deepEqual(notesOf(env), [`${name} changes nothing: ${reason}`]);
    });
  }

  it("or less effect than its value says: the effective value is told", () => {
    assert.deepEqual(notesOf({ TROUPE_LOG_RETENTION_MS: "900001", TROUPE_STORE: "memory" }), [
      "TROUPE_LOG_RETENTION_MS counts as 900000: TROUPE_STORE=memory keeps nothing longer",
    ]);
    assert.deepEqual(notesOf({ TROUPE_LOG_RETENTION_MS: "900000", TROUPE_STORE: "memory" }), []);
  });

  it("is not reported for settings that work", () => {
    const all = {
      TROUPE_ALLOW_ANONYMOUS: "true",
      TROUPE_MONEY_PER_DAY: "5",
      TROUPE_PRICES: "a=1/2",
      OPENAI_API_KEY: "k",
    };
    const more = {
      OPENAI_ORG_ID: "o",
      TROUPE_ADDRESS_TOKENS_PER_DAY: "5",
      HTTP_PROXY: "p:1",
      NO_PROXY: "*",
      PORT: "1",
    };
    assert.deepEqual(notesOf({ ...all, ...more }), []);
  });
});

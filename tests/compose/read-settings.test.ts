import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTroupe } from "../../src/compose/create-troupe.ts";
import { completeSettings, readSettings } from "../../src/compose/read-settings.ts";
import { allSettings, SettingError, type Settings } from "../../src/compose/settings.ts";
import { validatorWords } from "../protocol/validator-words.ts";

/** The line that refuses a start. */
function refusal(
  args: readonly string[],
  env: Record<string, string> = {},
  fileEnv: Record<string, string> = {},
): string {
  try {
    readSettings(args, { env, fileEnv });
  } catch (error) {
    assert.ok(error instanceof SettingError, String(error));
    return error.message;
  }
  return assert.fail(`accepted: ${args.join(" ")} ${JSON.stringify(env)}`);
}

const notesOf = (env: Record<string, string>, fileEnv = {}) => readSettings([], { env, fileEnv }).notes;
const readOf = (env: Record<string, string>, key: keyof Settings) => readSettings([], { env }).settings[key];

const nonsense = [
  ...[
    "abc",
    "NaN",
    "-1",
    "1.5",
    "1e999",
    "0x",
    "true",
    "{}",
    "[object Object]",
    "undefined",
    "null",
    "a b",
    "\u00e4",
    "=",
    ",",
  ],
  ...[
    "a=b",
    "http://",
    "ftp://x",
    "://",
    "../..",
    "$HOME",
    "%PATH%",
    "<key>",
    "x".repeat(5_000),
    "99999999999999999999",
  ],
];

describe("a value that a setting cannot have", () => {
  for (const setting of allSettings) {
    it(`${setting.name}: every kind of nonsense is refused by its name and a plain sentence, or does what it says`, () => {
      for (const value of nonsense)
        for (const [args, env, from] of [
          [[], { [setting.name]: value }, setting.name],
          [[`--${setting.flag}=${value}`], {}, `--${setting.flag}`],
        ] as const) {
          let read: ReturnType<typeof readSettings> | undefined;
          try {
            read = readSettings(args, { env });
          } catch (error) {
            assert.ok(error instanceof SettingError);
            assert.ok(error.message.startsWith(`${from}: `), error.message);
            const sentence = error.message.slice(from.length + 2);
            assert.match(sentence, /^\S.{8,}[^.\s]$/);
            assert.ok(sentence.length < 300, sentence);
            assert.doesNotMatch(sentence.replaceAll(value, ""), validatorWords);
          }
          const number = read?.settings[setting.key];
          if (typeof number === "number")
            assert.ok(Number.isFinite(number), `${setting.name}=${value} is ${number}`);
        }
    });

    it(`${setting.name}: what came with it by accident is told, and the value not quoted`, () => {
      const good = "sk-0123456789abcdef";
      const accidents: readonly (readonly [string, RegExp])[] = [
        [`"${good}"`, /quotes around it/],
        [`'${good}'`, /quotes around it/],
        [`\u201c${good}\u201d`, /quotes around it/],
        [`\ufeff${good}`, /invisible character \(U\+FEFF\)/],
        [`sk-0123\u200b456789abcdef`, /invisible character \(U\+200B\)/],
        [`${good}\u2060`, /invisible character \(U\+2060\)/],
        [`${good}\u0000`, /invisible character \(U\+0000\)/],
        [`${good}\u00a0`, /invisible character \(U\+00A0\)/],
        [`\u202e${good}`, /invisible character \(U\+202E\)/],
      ];
      const ofOneLine: typeof accidents = [
        [`${good}\n`, /line break after it/],
        [`${good}\r\n`, /line break after it/],
        [`\n${good}`, /line break before it/],
        [` ${good}`, /space before it/],
        [`${good} `, /space after it/],
        [`${good}\t`, /space after it/],
        ["sk-0123\n456789abcdef", /line break in it/],
      ];
      const isOneLine = setting.hasParts !== true && setting.hasLines !== true;
      for (const [value, told] of [...accidents, ...(isOneLine ? ofOneLine : [])]) {
        const line = refusal([], { [setting.name]: value });
        assert.match(line, told);
        assert.ok(line.startsWith(`${setting.name}: it has `), line);
        assert.ok(!line.includes("456789abcdef"), line);
      }
    });

    it(`${setting.name}: empty is as good as absent, by variable and by flag`, () => {
      if (setting.key === "localProviders") return;
      const absent = readSettings([], { env: {} }).settings;
      for (const value of ["", " "]) {
        assert.deepEqual(readSettings([], { env: { [setting.name]: value } }).settings, absent);
        assert.deepEqual(readSettings([`--${setting.flag}=${value}`], { env: {} }).settings, absent);
      }
    });
  }

  it("is refused in words that say what it has to be", () => {
    for (const [env, line] of [
      [{ PORT: "abc" }, "PORT: it must be a whole number from 0 to 65535"],
      [{ PORT: "99999" }, "PORT: it must be a whole number from 0 to 65535"],
      [{ TROUPE_WORKERS: "0" }, "TROUPE_WORKERS: it must be a whole number from 1 to 64"],
      [{ TROUPE_PACING: "quick" }, "TROUPE_PACING: it must be natural, fixed or raw"],
      [{ TROUPE_ALLOW_ANONYMOUS: "maybe" }, "TROUPE_ALLOW_ANONYMOUS: it must be true or false"],
      [
        { OPENAI_BASE_URL: "localhost:11434" },
        "OPENAI_BASE_URL: it must be an address such as http://host:port/v1",
      ],
      [
        { OPENAI_BASE_URL: "http://a/v1/responses" },
        "OPENAI_BASE_URL: it must end before the name of the call, as http://host:port/v1",
      ],
      [
        { OPENAI_BASE_URL: "http://u:p@a/v1" },
        "OPENAI_BASE_URL: it must have no user name or password in it",
      ],
      [{ OPENAI_BASE_URL: "http://a/v1?x=1" }, "OPENAI_BASE_URL: it must end with its path, without ? or #"],
      [
        { TROUPE_LOCAL_PROVIDERS: "http://a/v1,b" },
        "TROUPE_LOCAL_PROVIDERS: entry 2 must be an address such as http://host:port/v1",
      ],
      [
        { TROUPE_ALLOWED_ORIGINS: "https://a.example,b" },
        "TROUPE_ALLOWED_ORIGINS: entry 2 must be an address such as http://host:port",
      ],
      [
        { OPENAI_CUSTOM_HEADERS: "A: b\nnonsense" },
        "OPENAI_CUSTOM_HEADERS: line 2 must be a header such as Name: value",
      ],
      [{ OPENAI_CUSTOM_HEADERS: "A: b\na: c" }, "OPENAI_CUSTOM_HEADERS: line 2 names a a second time"],
      [
        { OPENAI_CUSTOM_HEADERS: "Host: b" },
        "OPENAI_CUSTOM_HEADERS: line 1 must not set host, which each call has its own value of",
      ],
    ] as const)
      assert.equal(refusal([], env), line);
  });
});

describe("a proxy", () => {
  const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
  const refused: readonly (readonly [string, RegExp])[] = [
    ...["socks5h", "socks5", "socks4a", "socks", "quic", "ftp", "file"].map(
      (scheme) =>
        [`${scheme}://ada:s3cret@p.example:1080`, new RegExp(`: ${scheme}:// is no kind of proxy`)] as const,
    ),
    ...[
      "garbage",
      "p.example",
      "http://",
      "http://p.example:99999",
      "::1:3128",
      ":3128",
      "DIRECT",
      "ada:s3cret@p.example",
    ].map((value) => [value, /: it must be http:\/\/host:port or https:\/\/host:port$/] as const),
    ["http://p.example:3128/proxy.pac", /: it must end with the proxy's port/],
  ];
  for (const name of names) {
    it(`${name}: one that cannot be used is refused by name, and its password is not quoted`, () => {
      for (const [value, told] of refused) {
        const line = refusal([], { [name]: value });
        assert.ok(line.startsWith(`${name}: `), line);
        assert.match(line, told);
        assert.doesNotMatch(line, /s3cret/);
      }
    });
  }

  it("works as tools write it: with a scheme, without one, as an IPv6 address, with credentials", () => {
    for (const [written, read] of [
      ["http://p.example:3128", "http://p.example:3128"],
      ["HTTP://p.example:3128/", "HTTP://p.example:3128/"],
      ["https://p.example", "https://p.example"],
      ["p.example:3128", "http://p.example:3128"],
      ["10.0.0.1:3128", "http://10.0.0.1:3128"],
      ["[::1]:3128", "http://[::1]:3128"],
      ["ada:s3cret@p.example:3128", "http://ada:s3cret@p.example:3128"],
    ] as const)
      assert.equal(readOf({ HTTPS_PROXY: written }, "httpsProxy"), read);
  });

  it("counts in small letters first, and capitals after that", () => {
    assert.equal(readOf({ http_proxy: "http://a:1", HTTP_PROXY: "http://b:1" }, "httpProxy"), "http://a:1");
    assert.equal(readOf({ no_proxy: "a", NO_PROXY: "b" }, "noProxy"), "a");
    assert.equal(readOf({ ALL_PROXY: "http://b:1" }, "allProxy"), "http://b:1");
  });

  it("has exceptions, each of which is told if it covers nothing", () => {
    assert.deepEqual(notesOf({ HTTP_PROXY: "p:1", NO_PROXY: "10.0.0.0/99,ok.example,<local>" }), [
      "NO_PROXY: 10.0.0.0/99 is no name, address or block, and covers nothing",
      "NO_PROXY: <local> is no name, address or block, and covers nothing",
    ]);
  });
});

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

  it("but another program's is nobody's slip", () => {
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
    [{ TROUPE_LOCAL_PROVIDERS: "http://a/v1", OPENAI_API_KEY: "k" }, "OPENAI_API_KEY says who answers"],
    [
      { TROUPE_LOCAL_PROVIDERS: "http://a/v1", OPENAI_BASE_URL: "http://a/v1" },
      "OPENAI_BASE_URL says who answers",
    ],
    [{ OPENAI_ORG_ID: "o" }, "neither OPENAI_API_KEY nor OPENAI_BASE_URL is set"],
    [{ OPENAI_PROJECT_ID: "p" }, "neither OPENAI_API_KEY nor OPENAI_BASE_URL is set"],
    [{ OPENAI_CUSTOM_HEADERS: "a: b" }, "neither OPENAI_API_KEY nor OPENAI_BASE_URL is set"],
    [{ TROUPE_SYNCHRONOUS: "FULL", TROUPE_STORE: "memory" }, "TROUPE_STORE=memory has no database"],
    [{ TROUPE_ANSWER_RETENTION_MS: "1", TROUPE_STORE: "memory" }, "TROUPE_STORE=memory has no database"],
    [{ TROUPE_USAGE_DAYS: "1", TROUPE_STORE: "memory" }, "TROUPE_STORE=memory has no database"],
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

  it("or less than it says: told with what counts", () => {
    assert.deepEqual(notesOf({ TROUPE_LOG_RETENTION_MS: "900001", TROUPE_STORE: "memory" }), [
      "TROUPE_LOG_RETENTION_MS counts as 900000: TROUPE_STORE=memory keeps nothing longer",
    ]);
    assert.deepEqual(notesOf({ TROUPE_LOG_RETENTION_MS: "900000", TROUPE_STORE: "memory" }), []);
  });

  it("is not told of settings that work", () => {
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

describe("where a setting comes from", () => {
  it("a flag goes before the environment, and that before .env", () => {
    const sources = { env: { PORT: "2", HOST: "h" }, fileEnv: { PORT: "3", HOST: "f", TROUPE_MODEL: "m" } };
    const { settings } = readSettings(["--port", "1"], sources);
    assert.deepEqual([settings.port, settings.host, settings.model], [1, "h", "m"]);
  });

  it("an empty variable of the environment hides the file's, as Node reads such files", () => {
    assert.equal(readSettings([], { env: { PORT: "" }, fileEnv: { PORT: "3" } }).settings.port, 8000);
  });

  it("a fault in the file is told with the file", () => {
    assert.equal(refusal([], {}, { PORT: "x" }), "PORT in .env: it must be a whole number from 0 to 65535");
  });

  it("what Node itself reads cannot come from the file, and is told", () => {
    assert.deepEqual(notesOf({}, { NODE_EXTRA_CA_CERTS: "ca.pem" }), [
      "NODE_EXTRA_CA_CERTS in .env changes nothing: Node reads it before; set it in the environment",
    ]);
  });
});

describe("options of an embedding program", () => {
  it("are held against the same rules, and named as options", async () => {
    for (const [options, message] of [
      [{ openaiApiKey: "sk-1\n" }, "openaiApiKey: it has a line break after it; leave it out"],
      [{ drainMs: Number.NaN }, "drainMs: it must be a whole number from 0 to 2147483647"],
      [{ httpProxy: "socks5://a:1" }, /^httpProxy: socks5:\/\/ is no kind of proxy/],
      [{ openaiBaseUrl: "" }, "openaiBaseUrl: it must not be empty"],
    ] as const)
      await assert.rejects(createTroupe({ store: "memory", ...options }), { name: "SettingError", message });
  });

  it("that are undefined are as good as absent", () => {
    const options = Object.fromEntries(allSettings.map(({ key }) => [key, undefined]));
    assert.deepEqual(completeSettings(options), completeSettings({}));
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTroupe } from "../../src/compose/create-troupe.ts";
import { completeSettings, readSettings } from "../../src/compose/read-settings.ts";
import { allSettings, SettingError } from "../../src/compose/settings.ts";
import { validatorWords } from "../protocol/validator-words.ts";
import { notesOf } from "./notes-of.ts";
import { refusal } from "./refusal.ts";

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
    it(`${setting.name}: nonsense of every kind is refused in a plain sentence with its name, or is a valid value`, () => {
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

    it(`${setting.name}: characters pasted by accident are reported, and the value is not quoted`, () => {
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

  it("is refused with the values that it may have", () => {
    for (const [env, line] of [
      ...[
        "http://redis",
        "redis://",
        "redis://:s3cret@redis?db=1",
        "redis://:s3%cret@redis",
        "redis:6379",
      ].map((url): [Record<string, string>, string] => [
        { REDIS_URL: url },
        "REDIS_URL: write it as redis://user:password@host:6379, or rediss:// with TLS",
      ]),
      ...[
        "postgresql://a,b/db?target_session_attrs=read-write",
        "postgres://u:s3cret@10.0.0.1:5432,10.0.0.2:5432/db",
        "postgres:///db?host=a,b",
        "postgres://u@h/db?sslmode=require&host=a%2Cb",
      ].map((url): [Record<string, string>, string] => [
        { TROUPE_DATABASE_URL: url },
        "TROUPE_DATABASE_URL: it must name one host, such as an address that always leads to the primary",
      ]),
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
        "OPENAI_CUSTOM_HEADERS: line 1 must not set host: each call sets its own",
      ],
    ] as const)
      assert.equal(refusal([], env), line);
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

  it("a variable that Node itself reads cannot come from the file, and is reported", () => {
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
      [{ httpProxy: "socks5://a:1" }, /^httpProxy: socks5:\/\/ is not a supported proxy scheme/],
      [{ openaiBaseUrl: "" }, "openaiBaseUrl: it must not be empty"],
    ] as const)
      await assert.rejects(createTroupe({ store: "memory", ...options }), { name: "SettingError", message });
  });

  it("that are undefined are as good as absent", () => {
    const options = Object.fromEntries(allSettings.map(({ key }) => [key, undefined]));
    assert.deepEqual(completeSettings(options), completeSettings({}));
  });
});

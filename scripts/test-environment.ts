/** Settings of Troupe, and the names under which keys, other nodes' addresses and options of Node itself are handed over. */
const unwanted = [
  /^TROUPE_/,
  /^OPENAI_/,
  /_API_KEY$/,
  /^(PORT|HOST|DATABASE_URL|REDIS_URL)$/,
  /^NODE_(OPTIONS|TEST_CONTEXT)$/,
];

/**
 * The environment that tests run in: the given one without what would change their outcome, above all without a developer's
 * keys, so that no test can ever call a real model.
 */
export function testEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const wanted = Object.entries(environment).filter(
    ([name]) => !unwanted.some((pattern) => pattern.test(name)),
  );
  return Object.fromEntries(wanted);
}

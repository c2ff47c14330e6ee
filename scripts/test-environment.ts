/** Troupe's settings, and the variables with keys, addresses of other nodes and options of Node itself. */
const unwanted = [
  /^TROUPE_/,
  /^OPENAI_/,
  /_API_KEY$/,
  /^(PORT|HOST|DATABASE_URL|REDIS_URL)$/,
  /^NODE_(OPTIONS|TEST_CONTEXT)$/,
];

/**
 * The environment that tests run in: the given one without variables that would change their outcome. Above all it has no
 * developer's keys, so no test can ever call a real model.
 */
export function testEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const wanted = Object.entries(environment).filter(
    ([name]) => !unwanted.some((pattern) => pattern.test(name)),
  );
  return Object.fromEntries(wanted);
}

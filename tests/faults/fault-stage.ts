import { createOpenaiProvider } from "../../src/adapters/openai/openai-provider.ts";
import { createUpstreamAgents } from "../../src/adapters/upstream/upstream-call.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Provider, ProviderCatalog, ProviderRequest } from "../../src/ports/provider.ts";
import { personaOf } from "../doubles/read-call.ts";
import type { Script } from "../doubles/script.ts";
import {
  createUpstreamDouble,
  type RecordedRequest,
  type UpstreamDouble,
} from "../doubles/upstream-double.ts";
import { type RunningTroupe, startTroupe } from "../support/start-troupe.ts";
import { createTestClock, type TestClock } from "../support/test-clock.ts";
import { type FaultVendor, responsesVendor } from "./vendors/fault-vendor.ts";

/** One call to the upstream, with the question and the persona by which the matrix finds it. */
export interface StageCall {
  readonly personaId: string | undefined;
  readonly request: RecordedRequest;
}

/** A server and its upstream, on which any number of cells run side by side. */
export interface FaultStage extends AsyncDisposable {
  readonly vendor: FaultVendor;
  readonly server: RunningTroupe;
  readonly double: UpstreamDouble;
  /** The target of redirects, which must never be called. */
  readonly elsewhere: UpstreamDouble;
  readonly clock: TestClock;
  /** Sets the script for calls with this question, chosen by the persona that is asked. */
  answer(question: string, choose: (personaId: string | undefined) => Script): void;
  /** The calls with this question. */
  callsOf(question: string): readonly StageCall[];
}

/** Longer than any pause of a retry or of the rhythm, which pass by themselves; shorter than any watchdog. */
const instantMs = 2_500;
const limits = { firstByteMs: 10_000, idleMs: 20_000 };
/** Moving the clock by this much ends every silence. */
export const longerThanSilenceMs = limits.idleMs + 1;

interface StageOptions {
  /** The API that the double speaks. Default: OpenAI's Responses API. */
  readonly vendor?: FaultVendor;
  /** Calls whose persona fulfils the condition go to this base URL instead of the double. */
  readonly reroute?: (double: UpstreamDouble) => Promise<{ baseUrl: string; applies: PersonaCondition }>;
}

export async function createFaultStage({
  vendor = responsesVendor,
  reroute,
}: StageOptions = {}): Promise<FaultStage> {
  await using stack = new AsyncDisposableStack();
  const double = stack.use(
    await createUpstreamDouble({ keepAlive: false, webSocket: vendor.webSocket ?? false }),
  );
  const elsewhere = stack.use(await createUpstreamDouble());
  const clock = createTestClock({ instantMs });
  const rerouted = await reroute?.(double);
  const providers =
    rerouted === undefined
      ? {}
      : { providers: createReroutingCatalog(stack, clock, double.baseUrl, rerouted) };
  const server = stack.use(
    await startTroupe({
      ...vendor.options(double.baseUrl, "test-key"),
      clock,
      random: () => 0.5,
      ...limits,
      ...providers,
    }),
  );

  const chosen = new Map<string, (personaId: string | undefined) => Script>();
  const calls = new Map<string, StageCall[]>();
  double.respond((request) => {
    const { question, personaId } = vendor.readCall(request.body);
    const choose = chosen.get(question);
    if (choose === undefined) throw new Error(`nobody asked ${JSON.stringify(question)}`);
    calls.set(question, [...(calls.get(question) ?? []), { personaId, request }]);
    return choose(personaId);
  });

  const owned = stack.move();
  return {
    vendor,
    server,
    double,
    elsewhere,
    clock,
    answer: (question, choose) => void chosen.set(question, choose),
    callsOf: (question) => calls.get(question) ?? [],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

type PersonaCondition = (personaId: string | undefined) => boolean;

/** The server has one base URL for all calls. Only a provider that combines two can give one lane an unreachable upstream. */
function createReroutingCatalog(
  stack: AsyncDisposableStack,
  clock: Clock,
  goodBaseUrl: string,
  { baseUrl, applies }: { baseUrl: string; applies: PersonaCondition },
): ProviderCatalog {
  const agents = createUpstreamAgents({});
  stack.defer(() => agents[Symbol.dispose]());
  const at = (url: string): Provider =>
    createOpenaiProvider({
      apiKey: "test-key",
      baseUrl: url,
      agents,
      clock,
      ...limits,
      random: () => 0,
      onWarning: () => undefined,
    });
  const good = at(goodBaseUrl);
  const bad = at(baseUrl);
  const provider: Provider = {
    name: "openai",
    simulated: false,
    stream: (request: ProviderRequest, call) =>
      (applies(personaOf(request.instructions)) ? bad : good).stream(request, call),
  };
  return { choose: (api) => ({ provider, api, model: "gpt-4o-mini" }) };
}

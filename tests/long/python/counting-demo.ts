import { createDemoProvider } from "../../../src/adapters/demo/demo-provider.ts";
import { systemClock } from "../../../src/adapters/system/system.ts";

/** The demonstration's provider without pauses, and the number of its calls. */
export function countingDemo() {
  const demo = createDemoProvider({ clock: systemClock, tokenIntervalMs: 0, firstTokenMs: 0 });
  const calls: unknown[] = [];
  const stream: typeof demo.stream = (...call) => {
    calls.push(call);
    return demo.stream(...call);
  };
  const choose = (api: string) => ({ provider: { ...demo, stream }, api, model: "demo" });
  return { calls, providers: { choose } };
}

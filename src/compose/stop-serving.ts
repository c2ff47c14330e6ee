import type { Listening } from "./listen.ts";
import type { Troupe } from "./troupe.ts";

/**
 * Stops a server and its port in order. If a balancer asks it (`lameDuckMs` above 0), the port stays open until the last socket is closed.
 * At a closed port, balancers cut the sockets of clients that stay to the end of their answers.
 */
export async function stopServing(
  troupe: Pick<Troupe, "leaveBalancer" | "close">,
  listening: Listening,
  lameDuckMs: number,
): Promise<void> {
  await troupe.leaveBalancer();
  if (lameDuckMs === 0) await listening.stop(troupe.close());
  else await troupe.close({ onDrained: () => listening.stop(Promise.resolve()) });
}

import { Socket } from "node:net";

/** Called before, during or after each matching operation. Kills the process if this is the chosen one. */
type Pass = (when: string) => void;

/** Kills this process, as a crash would, at the `nth` call with `when`. */
export function createDeath(point: { readonly when: string; readonly nth: number } | null): Pass {
  let seen = 0;
  return (when) => {
    if (point?.when !== when) return;
    seen += 1;
    if (seen < point.nth) return;
    process.kill(process.pid, "SIGKILL");
    // Stops this thread until the system has ended the process.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
}

/** The first byte of a text frame (RFC 6455, section 5.2): final, and text. */
const textFrame = 0x81;

/** Passes before and after each text frame that contains a text is sent. */
export function watchSockets({ containing = "" }: { readonly containing?: string }, pass: Pass): void {
  const { write } = Socket.prototype as unknown as {
    write(this: Socket, bytes: unknown, sent?: Sent): boolean;
  };
  Object.assign(Socket.prototype, {
    write(this: Socket, ...args: [bytes: unknown, sent?: Sent]) {
      const [bytes, sent] = args;
      const fits = Buffer.isBuffer(bytes) && bytes[0] === textFrame && bytes.includes(containing);
      if (!fits) return Reflect.apply(write, this, args);
      pass("before");
      return write.call(this, bytes, (error) => {
        pass("after");
        sent?.(error);
      });
    },
  });
}

type Sent = (error?: Error) => void;

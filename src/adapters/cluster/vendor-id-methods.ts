import { z } from "zod";
import type { VendorIds } from "../../ports/vendor-ids.ts";
import type { Methods } from "./remote-port.ts";

const text = z.string();

/** Ids of a vendor between processes. */
export const vendorIdMethods: Methods<VendorIds> = {
  note: z.tuple([text, z.array(text)]),
  isOwn: z.tuple([text, text]),
};

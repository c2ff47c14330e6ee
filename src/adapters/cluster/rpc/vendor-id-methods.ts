import { z } from "zod";
import type { VendorIds } from "../../../ports/vendor-ids.ts";
import type { Methods } from "./remote-port.ts";

const text = z.string();

/** The methods of vendor ids, for calls between processes. */
export const vendorIdMethods: Methods<VendorIds> = {
  note: z.tuple([text, z.array(text)]),
  isOwn: z.tuple([text, text]),
};

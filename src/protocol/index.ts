export { asyncApi } from "./async-api.ts";
export * from "./client-messages.ts";
export * from "./closes.ts";
export * from "./decode.ts";
export * from "./errors.ts";
export * from "./limits.ts";
export { type ResponsesOptions, responsesOptions } from "./responses-options.ts";
export * from "./server-messages.ts";

import { registerHooks } from "node:module";

/** Plays an installation without the optional packages for spans. */
registerHooks({
  resolve(specifier, context, nextResolve) {
    if (!specifier.startsWith("@opentelemetry/sdk")) return nextResolve(specifier, context);
    throw Object.assign(new Error(`Cannot find package '${specifier}'`), { code: "ERR_MODULE_NOT_FOUND" });
  },
});

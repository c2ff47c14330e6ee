import { readBaseUrl } from "./provider-settings.ts";
import { text } from "./setting-kinds.ts";

const keyOf = <Name extends string>(name: Name, vendor: string) => ({
  name,
  schema: text.optional(),
  help: `key of ${vendor}, which answers \`api\` from then on`,
});

const baseUrlOf = <Name extends string>(name: Name, vendor: string) => ({
  name,
  schema: text.transform(readBaseUrl).optional(),
  help: `another server that speaks the API of ${vendor}, as http://host:port`,
});

/** The keys that add vendors by themselves. `vendors.ts` has their addresses. */
export const vendorSettings = {
  anthropicApiKey: keyOf("ANTHROPIC_API_KEY", "Anthropic"),
  anthropicBaseUrl: baseUrlOf("ANTHROPIC_BASE_URL", "Anthropic"),
  geminiApiKey: keyOf("GEMINI_API_KEY", "the Gemini API"),
  googleApiKey: {
    name: "GOOGLE_API_KEY",
    schema: text.optional(),
    help: "key of the Gemini API, if GEMINI_API_KEY is not set",
  },
  geminiBaseUrl: baseUrlOf("GEMINI_BASE_URL", "Gemini"),
  groqApiKey: keyOf("GROQ_API_KEY", "Groq"),
  mistralApiKey: keyOf("MISTRAL_API_KEY", "Mistral"),
  deepseekApiKey: keyOf("DEEPSEEK_API_KEY", "DeepSeek"),
  xaiApiKey: keyOf("XAI_API_KEY", "xAI"),
  openrouterApiKey: keyOf("OPENROUTER_API_KEY", "OpenRouter"),
  togetherApiKey: keyOf("TOGETHER_API_KEY", "Together"),
  fireworksApiKey: keyOf("FIREWORKS_API_KEY", "Fireworks"),
  cerebrasApiKey: keyOf("CEREBRAS_API_KEY", "Cerebras"),
  moonshotApiKey: keyOf("MOONSHOT_API_KEY", "Moonshot"),
  alibabaApiKey: keyOf("ALIBABA_API_KEY", "Alibaba"),
  perplexityApiKey: keyOf("PERPLEXITY_API_KEY", "Perplexity"),
  cohereApiKey: keyOf("COHERE_API_KEY", "Cohere"),
} as const;

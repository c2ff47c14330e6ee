import type { SettingKey, Settings } from "../settings.ts";
import type { EndpointKind } from "./open-endpoint.ts";

/** A vendor or a local server that Troupe knows by name. */
interface Vendor {
  readonly title: string;
  readonly kind: EndpointKind;
  readonly baseUrl: string;
  /** The settings with its key, the first one that is set. None: it needs no key. */
  readonly keys: readonly Extract<SettingKey, `${string}ApiKey`>[];
  /** Whether it keeps responses, so that their ids mean something to it. Default true. */
  readonly keepsResponses?: boolean;
  /** The setting of another address, if there is one. */
  readonly address?: Extract<SettingKey, `${string}BaseUrl`>;
}

const compatible = (title: string, baseUrl: string, ...keys: Vendor["keys"]): Vendor => ({
  ...{ title, baseUrl, keys },
  kind: "chat-completions",
});
const local = (title: string, baseUrl: string): Vendor => ({
  ...{ title, baseUrl, keys: [], kind: "spoken" },
  keepsResponses: false,
});

/** The known vendors by their `api`. If several have a key, the first of them answers requests that name none. */
export const vendors: Readonly<Record<string, Vendor>> = {
  openai: {
    ...{ title: "OpenAI", kind: "responses", baseUrl: "https://api.openai.com/v1" },
    ...{ keys: ["openaiApiKey"], address: "openaiBaseUrl" },
  },
  anthropic: {
    ...{ title: "Anthropic", kind: "anthropic", baseUrl: "https://api.anthropic.com/v1" },
    ...{ keys: ["anthropicApiKey"], address: "anthropicBaseUrl" },
  },
  gemini: {
    ...{ title: "Gemini", kind: "gemini", baseUrl: "https://generativelanguage.googleapis.com/v1beta" },
    ...{ keys: ["geminiApiKey", "googleApiKey"], address: "geminiBaseUrl" },
  },
  groq: compatible("Groq", "https://api.groq.com/openai/v1", "groqApiKey"),
  mistral: compatible("Mistral", "https://api.mistral.ai/v1", "mistralApiKey"),
  deepseek: compatible("DeepSeek", "https://api.deepseek.com", "deepseekApiKey"),
  xai: compatible("xAI", "https://api.x.ai/v1", "xaiApiKey"),
  openrouter: compatible("OpenRouter", "https://openrouter.ai/api/v1", "openrouterApiKey"),
  together: compatible("Together", "https://api.together.xyz/v1", "togetherApiKey"),
  fireworks: compatible("Fireworks", "https://api.fireworks.ai/inference/v1", "fireworksApiKey"),
  cerebras: compatible("Cerebras", "https://api.cerebras.ai/v1", "cerebrasApiKey"),
  moonshot: compatible("Moonshot", "https://api.moonshot.ai/v1", "moonshotApiKey"),
  alibaba: compatible("Alibaba", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "alibabaApiKey"),
  perplexity: compatible("Perplexity", "https://api.perplexity.ai", "perplexityApiKey"),
  cohere: compatible("Cohere", "https://api.cohere.ai/compatibility/v1", "cohereApiKey"),
  ollama: local("Ollama", "http://127.0.0.1:11434/v1"),
  lmstudio: local("LM Studio", "http://127.0.0.1:1234/v1"),
  llamacpp: local("llama.cpp", "http://127.0.0.1:8080/v1"),
  vllm: local("vLLM", "http://127.0.0.1:8000/v1"),
};

/** The key of a vendor in the settings, and the setting that has it; `undefined` without one. */
export function keyIn(settings: Settings, { keys }: Vendor): { key: string; from: SettingKey } | undefined {
  for (const from of keys) {
    const key = settings[from];
    if (key !== undefined) return { key, from };
  }
  return undefined;
}

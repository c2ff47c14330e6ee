import { builtinPersonas } from "../builtin-personas/personas.ts";
import { creativeWriterVoice } from "./voices/creative-writer.ts";
import { dataScientistVoice } from "./voices/data-scientist.ts";
import { historianVoice } from "./voices/historian.ts";
import { neutralVoice } from "./voices/neutral.ts";
import { productManagerVoice } from "./voices/product-manager.ts";
import { securityEngineerVoice } from "./voices/security-engineer.ts";
import { skepticVoice } from "./voices/skeptic.ts";
import { teacherVoice } from "./voices/teacher.ts";
import { techEnthusiastVoice } from "./voices/tech-enthusiast.ts";
import type { DemoVoice } from "./voices/voice.ts";

const voices = new Map<string, DemoVoice>([
  ["creative_writer", creativeWriterVoice],
  ["data_scientist", dataScientistVoice],
  ["historian", historianVoice],
  ["product_manager", productManagerVoice],
  ["security_engineer", securityEngineerVoice],
  ["skeptic", skepticVoice],
  ["teacher", teacherVoice],
  ["tech_enthusiast", techEnthusiastVoice],
]);

/**
 * Finds the lines that answer a call. The provider port knows no personas, so the speaker is recognised by the
 * instructions: they start with a built-in persona's own, and other text may follow.
 *
 * @returns the persona's lines, or the neutral ones, and whether a built-in persona was recognised.
 */
export function voiceOf(instructions: string | undefined): { voice: DemoVoice; isPersona: boolean } {
  const persona = builtinPersonas.find((candidate) => instructions?.startsWith(candidate.instructions));
  const voice = persona && voices.get(persona.id);
  return voice ? { voice, isPersona: true } : { voice: neutralVoice, isPersona: false };
}

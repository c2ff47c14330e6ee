/** Ways to write an id that a proxy or parser might take for the id itself, and ways that would reach more than the id. */
export function spellings(id: string): ReadonlyMap<string, string> {
  return new Map([
    ["as it is", id],
    ["upper case", id.toUpperCase()],
    ["lower case", id.toLowerCase()],
    ["a space before", ` ${id}`],
    ["a space behind", `${id} `],
    ["a line feed behind", `${id}\n`],
    ["a dot behind", `${id}.`],
    ["a NUL behind", `${id}\0`],
    ["a slash behind", `${id}/`],
    ["a path to it", `./${id}`],
    ["a path back to it", `x/../${id}`],
    ["a dot encoded behind", `${id}%2e`],
    ["a slash encoded behind", `${id}%2F`],
    ["encoded", encodeAll(id)],
    ["encoded twice", encodeAll(id).replaceAll("%", "%25")],
    ["full-width", [...id].map(fullWidth).join("")],
    ["Cyrillic and Greek look-alikes", [...id].map((char) => lookAlikes[char] ?? char).join("")],
    ["a zero-width joiner inside", `${id.slice(0, 2)}\u200D${id.slice(2)}`],
    ["a combining mark behind", `${id}\u0301`],
    ["right to left", `\u202E${[...id].reverse().join("")}`],
    ["underscores for hyphens", id.replaceAll("-", "_")],
    ["colons for hyphens", id.replaceAll("-", ":")],
    ["hyphens for everything else", id.replaceAll(/[^a-z0-9]/gi, "-")],
    ["without its end", id.slice(0, -1)],
    ["without its beginning", id.slice(1)],
    ["longer", `${id}0`],
    ["twice", `${id}${id}`],
    ["as long as an id may be", id.padEnd(128, ":")],
    ["overlong", id.padEnd(4_096, "x")],
    ["under its owner's name", `ada\n${id}`],
    ["with its owner's name", `ada:${id}`],
    ["a pattern", `${id.slice(0, 8)}%`],
    ["another pattern", `${id.slice(0, 8)}*`],
    ["in quotes", `"${id}"`],
    ["in a statement", `x' OR id = '${id}`],
  ]);
}

const lookAlikes: Readonly<Record<string, string>> = {
  a: "\u0430",
  c: "\u0441",
  e: "\u0435",
  i: "\u0456",
  o: "\u03BF",
  p: "\u0440",
  s: "\u0455",
  x: "\u0445",
  "-": "\u2010",
  ":": "\uA789",
};

function fullWidth(char: string): string {
  return /[!-~]/.test(char) ? String.fromCodePoint((char.codePointAt(0) ?? 0) + 0xfee0) : char;
}

function encodeAll(text: string): string {
  return [...text].map((char) => `%${char.charCodeAt(0).toString(16).padStart(2, "0")}`).join("");
}

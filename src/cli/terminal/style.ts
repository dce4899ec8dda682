// Emphasis for terminals; plain text everywhere else.

export function bold(text: string, styled: boolean): string {
  return styled ? `\x1b[1m${text}\x1b[22m` : text;
}

export function dim(text: string, styled: boolean): string {
  return styled ? `\x1b[2m${text}\x1b[22m` : text;
}

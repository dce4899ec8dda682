// Durations as people write them: `90s`, `15m`, `24h`, `7d`, or plain seconds.

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds; undefined when it is no duration. */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit = "s"] = /^([0-9]{1,9})([smhd])?$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * (units[unit] ?? 1);
}

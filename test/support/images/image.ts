// What an image is to the lab: a name, and a command that writes it as a tar.
import type { Run } from "../lab/run.ts";

/** An image that the lab loads into its engines. */
export type Image = {
  readonly name: string;
  /** Changes when the content does. */
  readonly key: string;
  /** `rootfs` is a plain file tree for `docker import`; `saved` comes from `docker save`. */
  readonly format: "rootfs" | "saved";
  /** Dockerfile instructions to apply at import, e.g. `CMD ["sh"]`. */
  readonly changes: readonly string[];
  /**
   * The argv that writes the tar to its stdout; makes what it needs first.
   * Layers in `known` (diff ids, hexadecimal) may be left out: the engine that loads it has them.
   */
  readonly stream: (run: Run, known: ReadonlySet<string>) => Promise<string[]>;
};

import type { DocumentFormat } from './format.ts';
import type { OfficePackage } from './office-package.ts';
import type { TextOutput } from './text-output.ts';

/** What differs between the formats of Office: their types, and where the text is among the parts. */
export interface OfficeKind {
  readonly name: string;
  readonly mediaTypes: readonly string[];
  /** @throws as DocumentReader */
  read(parts: OfficePackage, output: TextOutput): Promise<void>;
}

/** A format whose documents are packages of parts. What opens packages is loaded only where one is read. */
export function officeFormat({ name, mediaTypes, read }: OfficeKind): DocumentFormat {
  return {
    name,
    mediaTypes,
    isPlain: false,

    async open() {
      const { OfficePackage } = await import('./office-package.ts');
      return (bytes, output) => read(new OfficePackage(bytes), output);
    },
  };
}

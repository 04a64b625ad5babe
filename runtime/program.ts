import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** This program as an argument of node: TypeScript in a clone, JavaScript in an installed package. */
export const programPath = fileURLToPath(new URL(`cli/main${extname(import.meta.url)}`, import.meta.url));

/**
 * The file with the body of a thread, beside the module that starts it: TypeScript where the sources run, else JavaScript.
 * @param name without its ending
 * @param here the module's `import.meta.url`
 */
export function threadFile(name: string, here: string): URL {
  return new URL(`./${name}${here.endsWith('.ts') ? '.ts' : '.js'}`, here);
}

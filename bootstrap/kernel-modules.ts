import { Fault } from '#bundle/fault.ts';

/**
 * Paths (as in modules.dep) of the named modules and of all that they need, sorted.
 * @param modulesDep the text of modules.dep: `path: path path …`
 * @throws Fault `MODULE_UNKNOWN` when the kernel neither has a module of that name nor is it built in
 */
export function moduleClosure(
  names: readonly string[],
  { modulesDep, builtin }: { readonly modulesDep: string; readonly builtin: string },
): readonly string[] {
  const needs = new Map<string, readonly string[]>();
  const pathByName = new Map<string, string>();
  for (const line of modulesDep.split('\n').filter((one) => one !== '')) {
    const [path = '', rest = ''] = line.split(':');
    needs.set(
      path,
      rest.split(' ').filter((one) => one !== ''),
    );
    pathByName.set(moduleName(path), path);
  }
  const builtinNames = new Set(builtin.split('\n').map(moduleName));
  const found = new Set<string>();
  for (const name of names) {
    const path = pathByName.get(moduleName(name));
    if (path === undefined && builtinNames.has(moduleName(name))) continue;
    if (path === undefined) throw unknown(name);
    // modules.dep lists all needs, also the indirect ones.
    for (const one of [path, ...(needs.get(path) ?? [])]) found.add(one);
  }
  return [...found].toSorted();
}

/** `kernel/drivers/virtio/virtio-rng.ko.xz` → `virtio_rng`: the kernel takes `-` and `_` for the same. */
export function moduleName(path: string): string {
  const file = path.slice(path.lastIndexOf('/') + 1);
  return file.replace(/\.ko(\.[a-z]+)?$/, '').replaceAll('-', '_');
}

function unknown(name: string): Fault {
  return new Fault('MODULE_UNKNOWN', `Cannot put the module ${name} into the bootstrap: this kernel has none`, {
    hint: 'Debian renamed or dropped it: correct the list in bootstrap/contents.ts',
    retry: 'stalled',
  });
}

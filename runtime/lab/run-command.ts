import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Fault } from '#bundle/fault.ts';

const execute = promisify(execFile);

/**
 * Runs a command to its end and returns its standard output.
 * @throws Fault `LAB_COMMAND_FAILED` with the command's own words
 */
export async function runCommand(argv: readonly string[]): Promise<string> {
  const [program = '', ...rest] = argv;
  try {
    const { stdout } = await execute(program, rest, { maxBuffer: 16 * 1024 * 1024 });
    return stdout;
  } catch (cause) {
    const said = String((cause as { stderr?: string }).stderr ?? '').trim();
    throw new Fault('LAB_COMMAND_FAILED', `Cannot run ${argv.join(' ')}: ${said || String(cause)}`, { cause });
  }
}

/** The same where failing is as good (a thing to remove that is not there): whether it succeeded. */
export async function tryCommand(argv: readonly string[]): Promise<boolean> {
  return runCommand(argv).then(
    () => true,
    () => false,
  );
}

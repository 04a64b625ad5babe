import { Fault, formatFault } from '#bundle/fault.ts';
import { asDiskFault } from '#store/disk-fault.ts';

/** Says what a verb does: to people on standard error, or to a program as a JSON object a line on standard output. */
export interface Reporter {
  progress(progress: { readonly done: number; readonly total: number; readonly name: string }): void;
  /** A line of a tool's output; only for people who asked for it. */
  detail(line: string): void;
  warn(warnings: readonly Fault[]): void;
  /** The result: `kind` and more for a program, `text` for people. */
  result(kind: string, fields: Readonly<Record<string, unknown>>, text: string): void;
}

export function openReporter(flags: { readonly json: boolean; readonly verbose?: boolean }): Reporter {
  const say = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);
  const tell = (text: string) => process.stderr.write(`${text}\n`);
  return {
    progress(progress) {
      if (flags.json) say({ kind: 'progress', ...progress });
      else if (progress.done < progress.total) tell(`[${progress.done}/${progress.total} done] ${progress.name}`);
    },
    detail(line) {
      if (flags.verbose) tell(`  ${line}`);
    },
    warn(warnings) {
      if (flags.json && warnings.length > 0) say({ kind: 'warnings', warnings: warnings.map(faultFields) });
      else
        for (const warning of warnings) tell(`warning: ${formatFault(warning)} [${warning.code}]\n  ${warning.hint}`);
    },
    result(kind, fields, text) {
      if (flags.json) say({ kind, ...fields });
      else process.stdout.write(`${text}\n`);
    },
  };
}

interface ReportingFlags {
  readonly json: boolean;
  readonly state?: string;
}

/** Runs a verb; with `--json` its faults are said on standard output too, before they are thrown on. */
export async function reporting(flags: ReportingFlags, verb: () => Promise<void>): Promise<void> {
  try {
    await verb();
  } catch (thrown) {
    const error = asDiskFault(thrown, flags.state ?? 'the state directory');
    if (flags.json && error instanceof Fault) {
      process.stdout.write(`${JSON.stringify({ kind: 'faults', faults: faultsOf(error).map(faultFields) })}\n`);
    }
    throw error;
  }
}

/** The faults that one stands for: of all definitions, or only itself. */
function faultsOf(fault: Fault): readonly Fault[] {
  const { cause } = fault;
  const inner = cause instanceof AggregateError ? cause.errors.filter((one) => one instanceof Fault) : [];
  return inner.length > 0 ? inner : [fault];
}

function faultFields({ code, message, hint, retry, location }: Fault): Readonly<Record<string, unknown>> {
  return { code, message, hint, retry, ...location };
}

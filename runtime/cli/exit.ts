import { CommanderError } from 'commander';
import { Fault, formatFault } from '#bundle/fault.ts';

/** Exit statuses: 75 is EX_TEMPFAIL of sysexits.h. */
export const exitStatus = { done: 0, failed: 1, usage: 2, verification: 3, tryLater: 75 } as const;

/** Fault codes whose exit status is not 1. Codes are added here by the verb that can end with them. */
const statusByCode: Readonly<Record<string, number>> = {
  USAGE: exitStatus.usage,
  CONFIG_INVALID: exitStatus.usage,
  DEFINITIONS_INVALID: exitStatus.usage,
  DIRECTORY_NOT_EMPTY: exitStatus.usage,
  NOT_ROOT: exitStatus.usage,
  PATH_HIDDEN: exitStatus.usage,
  INTERFACE_NOT_BOUND: exitStatus.usage,
  INTERFACE_UNKNOWN: exitStatus.usage,
  SYSTEM_UNSUPPORTED: exitStatus.usage,
  REVISION_UNKNOWN: exitStatus.usage,
  BUNDLE_SIGNATURE_INVALID: exitStatus.verification,
  BUNDLE_KEY_UNKNOWN: exitStatus.verification,
  CATALOG_INVALID: exitStatus.verification,
  CATALOG_COMMENT_INVALID: exitStatus.verification,
  MANIFEST_INVALID: exitStatus.verification,
  TORRENT_INVALID: exitStatus.verification,
  TORRENT_MISMATCH: exitStatus.verification,
  BUILD_NOT_REPRODUCIBLE: exitStatus.verification,
  BLOB_MISSING: exitStatus.verification,
  BLOB_DIGEST_MISMATCH: exitStatus.verification,
  CATALOG_DIGEST_MISMATCH: exitStatus.verification,
  SIGNATURE_DIGEST_MISMATCH: exitStatus.verification,
  MANIFEST_DIGEST_MISMATCH: exitStatus.verification,
  TORRENT_DIGEST_MISMATCH: exitStatus.verification,
  CATALOG_REVISION_MISMATCH: exitStatus.verification,
  REGISTRY_DIGEST_MISMATCH: exitStatus.verification,
  REGISTRY_REFERENCE_INVALID: exitStatus.usage,
  REGISTRY_COMMIT_MISSING: exitStatus.tryLater,
  CATALOG_OLDER: exitStatus.tryLater,
  STATE_LOCKED: exitStatus.tryLater,
};

/** Prints an error for a person (message, hint, causes) and sets the exit status. The only place that does either. */
export function failWith(error: unknown): void {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? exitStatus.done : exitStatus.usage;
    return;
  }
  if (!(error instanceof Fault)) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = exitStatus.failed;
    return;
  }
  printFault(error);
  if (error.cause instanceof AggregateError)
    for (const one of error.cause.errors) if (one instanceof Fault) printFault(one);
  for (let cause = error.cause; cause instanceof Error && cause.message !== ''; cause = cause.cause) {
    process.stderr.write(`  because: ${cause.message}\n`);
  }
  process.exitCode = statusByCode[error.code] ?? exitStatus.failed;
}

function printFault(fault: Fault): void {
  process.stderr.write(`${formatFault(fault)} [${fault.code}]\n`);
  if (fault.hint) process.stderr.write(`  ${fault.hint}\n`);
}

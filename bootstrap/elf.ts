import { Fault } from '#bundle/fault.ts';

const loadSegment = 1;
const dynamicSegment = 2;
const dynamicSymbols = 11;
const symbolBytes = 24;
const functionSymbol = 2;
const tag = { end: 0n, needed: 1n, stringTable: 5n } as const;

/**
 * The shared libraries that a 64-bit little-endian ELF file names itself (DT_NEEDED); none for a static program. Read
 * here because `ldd` runs the program, which may be for another processor.
 * @throws Fault `ELF_INVALID`
 * @see System V ABI, chapter 5, Dynamic Section
 */
export function neededLibraries(file: Buffer): readonly string[] {
  try {
    if (file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1) throw new RangeError('magic');
    const segments = readSegments(file);
    const dynamic = segments.find((segment) => segment.type === dynamicSegment);
    if (!dynamic) return [];
    const entries = readEntries(file.subarray(dynamic.offset, dynamic.offset + dynamic.size));
    const table = entries.find((entry) => entry.tag === tag.stringTable);
    const strings = table ? toOffset(segments, table.value) : 0;
    return entries
      .filter((entry) => entry.tag === tag.needed)
      .map((entry) => readString(file, strings + Number(entry.value)));
  } catch (cause) {
    throw new Fault('ELF_INVALID', 'Cannot read the libraries of a program: it is no 64-bit ELF file', { cause });
  }
}

/**
 * The functions that a shared library offers, sorted. @throws Fault `ELF_INVALID`
 * @see System V ABI, chapter 4, Symbol Table
 */
export function exportedFunctions(file: Buffer): readonly string[] {
  try {
    const table = readSections(file).find((section) => section.type === dynamicSymbols);
    if (!table) return [];
    const strings = readSections(file)[table.link]?.offset ?? 0;
    const names = Array.from({ length: table.size / symbolBytes }, (_, index) => {
      const at = table.offset + index * symbolBytes;
      const isOffered = file.readUInt16LE(at + 6) !== 0 && file.readUInt8(at + 4) >> 4 !== 0;
      return isOffered && (file.readUInt8(at + 4) & 15) === functionSymbol
        ? readString(file, strings + file.readUInt32LE(at))
        : undefined;
    });
    return names.filter((name) => name !== undefined).toSorted();
  } catch (cause) {
    throw new Fault('ELF_INVALID', 'Cannot read the functions of a library: it is no 64-bit ELF file', { cause });
  }
}

interface Section {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  /** Of a table of symbols: the number of the section with their names. */
  readonly link: number;
}

function readSections(file: Buffer): readonly Section[] {
  const start = Number(file.readBigUInt64LE(40));
  const entrySize = file.readUInt16LE(58);
  return Array.from({ length: file.readUInt16LE(60) }, (_, index) => {
    const at = start + index * entrySize;
    return {
      type: file.readUInt32LE(at + 4),
      offset: Number(file.readBigUInt64LE(at + 24)),
      size: Number(file.readBigUInt64LE(at + 32)),
      link: file.readUInt32LE(at + 40),
    };
  });
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: bigint;
  readonly size: number;
}

function readSegments(file: Buffer): readonly Segment[] {
  const start = Number(file.readBigUInt64LE(32));
  const entrySize = file.readUInt16LE(54);
  return Array.from({ length: file.readUInt16LE(56) }, (_, index) => {
    const at = start + index * entrySize;
    return {
      type: file.readUInt32LE(at),
      offset: Number(file.readBigUInt64LE(at + 8)),
      address: file.readBigUInt64LE(at + 16),
      size: Number(file.readBigUInt64LE(at + 32)),
    };
  });
}

function readEntries(section: Buffer): readonly { readonly tag: bigint; readonly value: bigint }[] {
  const entries = [];
  for (let at = 0; at + 16 <= section.length; at += 16) {
    const entry = { tag: section.readBigUInt64LE(at), value: section.readBigUInt64LE(at + 8) };
    if (entry.tag === tag.end) break;
    entries.push(entry);
  }
  return entries;
}

/** The dynamic section speaks of addresses in memory; the loaded segments say where in the file those are. */
function toOffset(segments: readonly Segment[], address: bigint): number {
  const segment = segments.find(
    (one) => one.type === loadSegment && address >= one.address && address < one.address + BigInt(one.size),
  );
  if (!segment) throw new RangeError('address outside of the file');
  return segment.offset + Number(address - segment.address);
}

function readString(file: Buffer, at: number): string {
  return file.toString('latin1', at, file.indexOf(0, at));
}

import type { Arch } from '#bundle/manifest.ts';
import { exportedFunctions } from './elf.ts';

const headerBytes = 64;
const segmentBytes = 56;
const symbolBytes = 24;
/** Larger than any page: what is written lies in other pages than what is executed. */
const alignment = 0x10000;

/** ELF's number of the processor, and `return 0`. */
const machines: Readonly<Record<Arch, { readonly number: number; readonly returnZero: string }>> = {
  amd64: { number: 62, returnZero: '31c0c3' },
  arm64: { number: 183, returnZero: '000080d2c0035fd6' },
};

/**
 * A shared library with the same functions as `library`, each of which only returns 0, so that a program can be loaded
 * without a library that it names but never needs here. A few KB instead of the library and of all that it needs.
 * @param library the real one, an ELF file whose symbols have no versions
 * @throws Fault `ELF_INVALID`
 * @see System V ABI, chapter 5, Program Loading and Dynamic Linking
 */
export function stubLibrary(library: Buffer, { name, arch }: { readonly name: string; readonly arch: Arch }): Buffer {
  const strings = stringTable([name, ...exportedFunctions(library)]);
  const [ownName = 0, ...functions] = strings.offsets;
  const hash = hashTable(functions.length + 1);
  const code = Buffer.from(machines[arch].returnZero, 'hex');
  const at = places([headerBytes + 4 * segmentBytes, hash.length, symbolBytes * (functions.length + 1), code.length]);
  const [hashAt = 0, symbolsAt = 0, codeAt = 0, stringsAt = 0] = at;
  const dynamicAt = padded(stringsAt + strings.bytes.length);
  const dynamic = dynamicSection([
    [14, ownName],
    [4, hashAt],
    [5, stringsAt],
    [6, symbolsAt],
    [10, strings.bytes.length],
    [11, symbolBytes],
    [0, 0],
  ]);
  const file = Buffer.alloc(dynamicAt + dynamic.length);
  header(arch).copy(file);
  segments({ codeEnd: dynamicAt, dynamicAt, dynamicBytes: dynamic.length }).copy(file, headerBytes);
  hash.copy(file, hashAt);
  symbolTable(functions, codeAt).copy(file, symbolsAt);
  code.copy(file, codeAt);
  strings.bytes.copy(file, stringsAt);
  dynamic.copy(file, dynamicAt);
  return file;
}

function header(arch: Arch): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  Buffer.from('7f454c46020101', 'hex').copy(bytes);
  bytes.writeUInt16LE(3, 16); // a shared library
  bytes.writeUInt16LE(machines[arch].number, 18);
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BigInt(headerBytes), 32);
  bytes.writeUInt16LE(headerBytes, 52);
  bytes.writeUInt16LE(segmentBytes, 54);
  bytes.writeUInt16LE(4, 56);
  return bytes;
}

/** Code and tables, to be executed; the dynamic section, which the loader may write to; a stack without code. */
function segments(of: { readonly codeEnd: number; readonly dynamicAt: number; readonly dynamicBytes: number }): Buffer {
  const [executable, writable] = [5, 6];
  const dynamic = { offset: of.dynamicAt, address: of.dynamicAt + alignment, size: of.dynamicBytes };
  return Buffer.concat([
    segment(1, executable, { offset: 0, address: 0, size: of.codeEnd, alignment }),
    segment(1, writable, { ...dynamic, alignment }),
    segment(2, writable, { ...dynamic, alignment: 8 }),
    segment(0x6474e551, writable, { offset: 0, address: 0, size: 0, alignment: 16 }),
  ]);
}

interface Extent {
  readonly offset: number;
  readonly address: number;
  readonly size: number;
  readonly alignment: number;
}

function segment(type: number, flags: number, { offset, address, size, alignment }: Extent): Buffer {
  const bytes = Buffer.alloc(segmentBytes);
  bytes.writeUInt32LE(type, 0);
  bytes.writeUInt32LE(flags, 4);
  for (const [index, value] of [offset, address, address, size, size, alignment].entries()) {
    bytes.writeBigUInt64LE(BigInt(value), 8 + 8 * index);
  }
  return bytes;
}

/** One bucket with all symbols in a row: there are too few of them for more. */
function hashTable(symbols: number): Buffer {
  const next = Array.from({ length: symbols }, (_, index) => (index === 0 || index + 1 === symbols ? 0 : index + 1));
  return Buffer.from(new Uint32Array([1, symbols, symbols > 1 ? 1 : 0, ...next]).buffer);
}

/** The first one is no symbol, as the ABI has it. */
function symbolTable(names: readonly number[], codeAt: number): Buffer {
  const globalFunction = 0x12;
  const bytes = Buffer.alloc(symbolBytes * (names.length + 1));
  for (const [index, name] of names.entries()) {
    const at = symbolBytes * (index + 1);
    bytes.writeUInt32LE(name, at);
    bytes.writeUInt8(globalFunction, at + 4);
    bytes.writeUInt16LE(1, at + 6);
    bytes.writeBigUInt64LE(BigInt(codeAt), at + 8);
  }
  return bytes;
}

function stringTable(texts: readonly string[]): { readonly bytes: Buffer; readonly offsets: readonly number[] } {
  let end = 1;
  const offsets = texts.map((text) => {
    const at = end;
    end += text.length + 1;
    return at;
  });
  return { bytes: Buffer.from(`\0${texts.map((text) => `${text}\0`).join('')}`, 'latin1'), offsets };
}

function dynamicSection(entries: readonly (readonly [tag: number, value: number])[]): Buffer {
  return Buffer.from(new BigUint64Array(entries.flat().map(BigInt)).buffer);
}

/** Where each of several pieces ends, on a boundary of 16 bytes. */
function places(sizes: readonly number[]): readonly number[] {
  let end = 0;
  return sizes.map((size) => {
    end = padded(end + size);
    return end;
  });
}

function padded(at: number): number {
  return Math.ceil(at / 16) * 16;
}

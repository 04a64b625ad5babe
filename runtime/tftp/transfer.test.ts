import fc from 'fast-check';
import { expect, test } from 'vitest';
import { negotiate } from './negotiate.ts';
import { blockRange, openTransfer, type Step, step, type Transfer } from './transfer.ts';

function termsOf(options: Readonly<Record<string, string>> = {}) {
  return negotiate(new Map(Object.entries(options)), 0);
}

/** A transfer in which the first window was sent. */
function started(sizeBytes: number, options: Readonly<Record<string, string>> = {}): Transfer {
  const first = step(openTransfer(termsOf(options), sizeBytes), { kind: 'start' }, 0);
  return first.send?.kind === 'options' ? step(first.transfer, { kind: 'ack', block: 0 }, 0).transfer : first.transfer;
}

function lengths(sizeBytes: number): number[] {
  const transfer = openTransfer(termsOf(), sizeBytes);
  return Array.from({ length: transfer.blocks }, (_, index) => blockRange(transfer, index + 1).length);
}

test.each([
  [0, [0]],
  [1, [1]],
  [511, [511]],
  [512, [512, 0]],
  [513, [512, 1]],
  [1536, [512, 512, 512, 0]],
])('blockRange() cuts %i bytes so that the last block is short', (size, wanted) => {
  expect(lengths(size)).toEqual(wanted);
});

test('step() sends nothing for a duplicate acknowledgement, block by block', () => {
  const one = step(started(2000), { kind: 'ack', block: 1 }, 10);
  expect(one.send).toEqual({ kind: 'blocks', first: 2, last: 2 });
  expect(step(one.transfer, { kind: 'ack', block: 1 }, 11)).toEqual({
    transfer: one.transfer,
    send: undefined,
    deadlineMs: undefined,
  });
});

test('step() sends a window again once when its first block got lost', () => {
  const transfer = started(9000, { windowsize: '4' });
  const again = step(transfer, { kind: 'ack', block: 0 }, 5);
  expect(again.send).toEqual({ kind: 'blocks', first: 1, last: 4 });
  expect(step(again.transfer, { kind: 'ack', block: 0 }, 6).send).toBeUndefined();
});

test('step() goes on from the last block in order', () => {
  const transfer = started(9000, { windowsize: '4' });
  expect(step(transfer, { kind: 'ack', block: 2 }, 5).send).toEqual({ kind: 'blocks', first: 3, last: 6 });
});

test('step() ignores an acknowledgement of what was not sent', () => {
  expect(step(started(9000), { kind: 'ack', block: 5 }, 5).send).toBeUndefined();
});

test('step() waits longer each time and gives up', () => {
  let next: Step = step(openTransfer(termsOf(), 100), { kind: 'start' }, 0);
  const deadlines: (number | undefined)[] = [next.deadlineMs];
  while (next.transfer.state === 'data') {
    next = step(next.transfer, { kind: 'timeout' }, 0);
    deadlines.push(next.deadlineMs);
  }
  expect(deadlines).toEqual([1000, 2000, 4000, 8000, 8000, 8000, undefined]);
  expect(next.transfer.state).toBe('failed');
});

test('step() keeps a timeout that the node fixed', () => {
  const transfer = openTransfer(termsOf({ timeout: '3' }), 100);
  const again = step(step(transfer, { kind: 'start' }, 0).transfer, { kind: 'timeout' }, 0);
  expect([again.send, again.deadlineMs]).toEqual([{ kind: 'options' }, 3000]);
});

test('step() ends at once when the node refuses the options', () => {
  const transfer = openTransfer(termsOf({ blksize: '1400' }), 100);
  expect(step(step(transfer, { kind: 'start' }, 0).transfer, { kind: 'error' }, 1).transfer.state).toBe('failed');
});

test('step() counts past 65535 blocks', () => {
  let transfer = started(40 * 1024 * 1024);
  let steps = 0;
  while (transfer.state === 'data' && steps < 100_000) {
    transfer = step(transfer, { kind: 'ack', block: transfer.sent & 0xffff }, 0).transfer;
    steps += 1;
  }
  expect([transfer.state, transfer.acknowledged, steps]).toEqual(['done', 81_921, 81_921]);
});

/**
 * A node and a network on a virtual clock. `fates` says for each packet in turn: 0 lost, 1 delivered, 2 delivered
 * twice, 3 delayed behind the next ones. Gives what the node put together, and how many blocks were sent.
 */
function simulate(sizeBytes: number, options: Readonly<Record<string, string>>, fates: readonly number[]) {
  const got: number[] = [];
  const queue: { atMs: number; deliver: () => void }[] = [];
  let [clock, packets, sentBlocks] = [0, 0, 0];
  let transfer = openTransfer(termsOf(options), sizeBytes);
  let deadline: number | undefined;
  const { windowBlocks } = transfer.terms;

  const post = (deliver: () => void) => {
    // After the given fates the network works: no transfer survives a network that never does.
    const fate = fates[packets] ?? 1;
    packets += 1;
    if (fate > 0) queue.push({ atMs: clock + (fate === 3 ? 30 : 1), deliver });
    if (fate === 2) queue.push({ atMs: clock + 2, deliver });
  };
  const node = (block: number, length: number) => {
    const isNext = block === got.length + 1;
    if (isNext) got.push(length);
    const isLast = isNext && length < transfer.terms.blockBytes;
    if (!isNext || isLast || got.length % windowBlocks === 0)
      post(() => take({ kind: 'ack', block: got.length & 0xffff }));
  };
  function take(event: Parameters<typeof step>[1]): void {
    const next = step(transfer, event, clock);
    transfer = next.transfer;
    deadline = next.deadlineMs ?? deadline;
    if (next.send?.kind === 'options') post(() => post(() => take({ kind: 'ack', block: 0 })));
    if (next.send?.kind !== 'blocks') return;
    for (let block = next.send.first; block <= next.send.last; block += 1) {
      sentBlocks += 1;
      post(() => node(block, blockRange(next.transfer, block).length));
    }
  }

  take({ kind: 'start' });
  while (transfer.state === 'data' || transfer.state === 'options') {
    queue.sort((a, b) => a.atMs - b.atMs);
    const [first] = queue;
    if (first && first.atMs <= (deadline ?? 0)) {
      queue.shift();
      clock = Math.max(clock, first.atMs);
      first.deliver();
    } else {
      clock = deadline ?? 0;
      take({ kind: 'timeout' });
    }
  }
  return { state: transfer.state, got, sentBlocks, blocks: transfer.blocks };
}

test('step() delivers every byte under loss, duplication and reordering', () => {
  const windows = fc.constantFrom<Readonly<Record<string, string>>>(
    {},
    { windowsize: '4' },
    { windowsize: '16', blksize: '1468' },
  );
  const fates = fc.array(fc.constantFrom(0, 1, 1, 1, 1, 2, 3), { maxLength: 80 });
  fc.assert(
    fc.property(fc.nat({ max: 30_000 }), windows, fates, (size, options, list) => {
      const result = simulate(size, options, list);
      // Six losses in a row of one packet may end a transfer; short of that it must arrive whole.
      const run = Math.max(
        0,
        ...list
          .join('')
          .split(/[^0]+/)
          .map((part) => part.length),
      );
      if (run < 5 && list.filter((fate) => fate === 0).length < 6) expect(result.state).toBe('done');
      if (result.state === 'done') {
        expect(result.got.length).toBe(result.blocks);
        expect(result.got.reduce((sum, length) => sum + length, 0)).toBe(size);
      }
    }),
    { numRuns: 400 },
  );
});

test('step() sends no block twice when every packet arrives twice', () => {
  const result = simulate(100_000, {}, new Array(1000).fill(2));
  expect([result.state, result.sentBlocks]).toEqual(['done', result.blocks]);
});

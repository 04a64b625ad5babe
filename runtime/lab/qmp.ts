import { createConnection } from 'node:net';
import { createInterface } from 'node:readline';
import { Fault } from '#bundle/fault.ts';

/**
 * Gives QEMU one order over its QMP socket, `system_reset` or `quit` for instance.
 * @throws Fault `LAB_MACHINE_UNREACHABLE`
 */
export async function qmpExecute(socketPath: string, command: string): Promise<void> {
  const socket = createConnection(socketPath);
  socket.setTimeout(5000, () => socket.destroy(new Error('no answer within 5 s')));
  try {
    // QEMU greets first, and takes orders only after qmp_capabilities was answered.
    const orders = ['qmp_capabilities', command];
    for await (const line of createInterface({ input: socket })) {
      const message = JSON.parse(line) as { QMP?: unknown; return?: unknown; error?: { desc: string } };
      if (message.error) throw new Error(message.error.desc);
      if (message.QMP === undefined && message.return === undefined) continue;
      const order = orders.shift();
      if (order === undefined) return;
      socket.write(`${JSON.stringify({ execute: order })}\n`);
    }
    if (orders.length > 0) throw new Error('the connection ended');
  } catch (cause) {
    throw new Fault('LAB_MACHINE_UNREACHABLE', `Cannot order ${command} at ${socketPath}`, {
      cause,
      hint: 'Is the lab running? Start it with: npm start',
    });
  } finally {
    socket.destroy();
  }
}

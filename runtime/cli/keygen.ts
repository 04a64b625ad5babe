import { Command } from 'commander';

export function keygenCommand(): Command {
  return new Command('keygen');
}

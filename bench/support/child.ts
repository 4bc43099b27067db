/**
 * A program of the benches in a process of its own, so that what is measured does not share an event loop with what measures.
 * It is compiled as users have it: a loader that translates at run time names every function, a property each, which costs
 * a server with a thousand streams a third of its time and 10 KB a stream.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Child {
  /** The first message it sent: it is ready. */
  readonly ready: Record<string, unknown>;
  /** Asks it something and waits for the answer. */
  ask(question: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** Resident memory, in bytes. */
  rssBytes(): number;
  /** CPU time so far, in milliseconds. */
  cpuMs(): number;
  end(): Promise<void>;
}

const programs = join(import.meta.dirname, '../../dist/bench/support');

/** `name`: of a file of this folder, without its ending. `npm run bench` compiles them. */
export async function startChild(name: string, args: readonly string[] = []): Promise<Child> {
  const child = fork(join(programs, `${name}.js`), args, {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ready = await message(child);
  return {
    ready,
    ask: (question) => {
      child.send(question);
      return message(child);
    },
    rssBytes: () => Number(/^VmRSS:\s+(\d+)/m.exec(procFile(child, 'status'))?.[1] ?? 0) * 1024,
    cpuMs: () => {
      const fields = procFile(child, 'stat').split(') ')[1]?.split(' ') ?? [];
      // Fields 14 and 15 of proc(5), in ticks of 10 ms.
      return (Number(fields[11]) + Number(fields[12])) * 10;
    },
    end: async () => {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

function procFile(child: ChildProcess, name: string): string {
  return readFileSync(`/proc/${child.pid}/${name}`, 'utf8');
}

function message(child: ChildProcess): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`a process of the bench ended with ${code}`));
    child.once('exit', onExit);
    child.once('message', (answer) => {
      child.off('exit', onExit);
      resolve(answer as Record<string, unknown>);
    });
  });
}

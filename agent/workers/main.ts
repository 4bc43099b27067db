/** The program of a worker: takes the one signal that must not wait, and loads the rest. */
import { keepDebuggerClosed } from '../../process/debugger.ts';

keepDebuggerClosed();
await import('./program.ts');

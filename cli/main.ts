#!/usr/bin/env node
/** The program `sluice`: takes the one signal that must not wait, and loads the rest. */
import { keepDebuggerClosed } from '../process/debugger.ts';

keepDebuggerClosed();
await import('./command-line.ts');

// The contract suite on the memory store.
import { describe, expect, it } from 'vitest';
import { storeContract } from '../src/contract/index.ts';
import { createMemoryStore } from '../src/index.ts';

storeContract('memory', async () => createMemoryStore(), { describe, it, expect });

// Commands for books.
import { managedOf, type StoredBook } from '../device/managed-state.ts';
import {
  acknowledged,
  type CommandContext,
  type CommandResult,
  failed,
  type Handlers,
  malformed,
  mdmDomain,
} from './handler.ts';

/** The commands for books. */
export const mediaHandlers: Handlers = {
  InstallMedia: { run: install },
  ManagedMediaList: {
    run: ({ state }) => acknowledged({ Books: managedOf(state).books.map(describe) }),
  },
  RemoveMedia: { run: remove },
};

function install({ state, payload }: CommandContext): CommandResult {
  const { MediaType: type, iTunesStoreID: storeId, MediaURL: url, PersistentID: persistent, Title: title } = payload;
  if (typeof type !== 'string') return malformed;
  if (type !== 'Book') return failed(mdmDomain, 12044, 'Invalid media type');
  if (typeof storeId !== 'number' && (typeof url !== 'string' || typeof persistent !== 'string')) return malformed;
  const id = typeof storeId === 'number' ? String(storeId) : String(persistent);
  const managed = managedOf(state);
  managed.books = managed.books.filter((book) => book.id !== id);
  managed.books.push({
    id,
    ...(typeof storeId === 'number' ? { storeId } : {}),
    kind: typeof payload['Kind'] === 'string' ? payload['Kind'] : 'epub',
    ...(typeof title === 'string' ? { title } : {}),
  });
  return acknowledged({
    ...(typeof storeId === 'number' ? { iTunesStoreID: storeId } : { MediaURL: String(url), PersistentID: id }),
    MediaType: 'Book',
    State: 'Installing',
  });
}

function remove({ state, payload }: CommandContext): CommandResult {
  const { MediaType: type, iTunesStoreID: storeId, PersistentID: persistent } = payload;
  if (typeof type !== 'string') return malformed;
  if (type !== 'Book') return failed(mdmDomain, 12044, 'Invalid media type');
  const id = persistent ?? storeId;
  if (typeof id !== 'string' && typeof id !== 'number') return malformed;
  const managed = managedOf(state);
  // A book that is not there is as good as removed.
  managed.books = managed.books.filter((book) => book.id !== String(id));
  return acknowledged();
}

/** The schema wants a store number of each: a book of the organisation's own has none, and is shown with 0. */
function describe(book: StoredBook): { readonly [key: string]: string | number } {
  return {
    iTunesStoreID: book.storeId ?? 0,
    Kind: book.kind,
    ...(book.storeId === undefined ? { PersistentID: book.id } : {}),
    State: 'Managed',
    ...(book.title === undefined ? {} : { Title: book.title }),
  };
}

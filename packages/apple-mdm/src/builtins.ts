// Node's heavy modules, loaded when they are first used: each takes longer to load than all the rest of this package.

/** `node:crypto` */
export function crypto(): typeof import('node:crypto') {
  return process.getBuiltinModule('node:crypto');
}

/** `node:http2` */
export function http2(): typeof import('node:http2') {
  return process.getBuiltinModule('node:http2');
}

/** `node:tls` */
export function tls(): typeof import('node:tls') {
  return process.getBuiltinModule('node:tls');
}

/** `node:net` */
export function net(): typeof import('node:net') {
  return process.getBuiltinModule('node:net');
}

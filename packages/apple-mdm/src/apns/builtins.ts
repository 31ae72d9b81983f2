// Node's HTTP/2 and TLS, loaded when a client is made: they take longer to load than all the rest of this package.

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

// SPDX-License-Identifier: Apache-2.0
// A certification authority of one test, made with openssl: its file, and certificates for names.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './brickgate.mjs';

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] });

export class Authority {
  #serial = 1;

  constructor() {
    this.folder = temporaryFolder();
    this.keyFile = join(this.folder, 'ca.key');
    this.file = join(this.folder, 'ca.pem');
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=Test authority',
      '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign', '-keyout', this.keyFile, '-out', this.file);
  }
  get pem() { return readFileSync(this.file, 'utf8'); }

  // {certFile, keyFile, cert, key}; `names` as openssl writes them.
  issue({ names = ['DNS:localhost', 'IP:127.0.0.1'], commonName = 'localhost', days = 2 } = {}) {
    const name = join(this.folder, `leaf${this.#serial++}`);
    const [keyFile, request, certFile, extensions] = ['.key', '.csr', '.pem', '.ext'].map((ending) => name + ending);
    openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', `/CN=${commonName}`, '-keyout', keyFile, '-out', request);
    writeFileSync(extensions, `basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n${names.length ? `subjectAltName=${names.join(',')}\n` : ''}`);
    openssl('x509', '-req', '-in', request, '-CA', this.file, '-CAkey', this.keyFile, '-set_serial', String(Date.now() + this.#serial),
      '-days', String(days), '-extfile', extensions, '-out', certFile);
    return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  }
}

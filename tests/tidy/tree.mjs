// SPDX-License-Identifier: Apache-2.0
// The tree as the house rules see it: files with their text, C++ with comments and strings blanked out, and where
// each function begins and ends.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

const madeByMachines = new Set(['.git', 'build', 'node_modules', '.brickgate', '.env']);

// Every file of the project as {path, text}; what is built or installed is left out, as .gitignore does.
export function readTree(folder = '') {
  const files = [];
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (madeByMachines.has(entry.name) || entry.name.endsWith('.log') || path === 'compile_commands.json') continue;
    if (entry.isDirectory()) files.push(...readTree(path));
    else if (entry.isFile()) files.push({ path, text: readFileSync(join(root, path), 'utf8') });
  }
  return files;
}

export const isCpp = (file) => /\.(cpp|h)$/.test(file.path);
export const isSource = (file) => isCpp(file) && /^(src|include)\//.test(file.path);
export const layerOf = (path) => /^src\/([a-z]+)\//.exec(path)?.[1] ?? (path.startsWith('include/brickgate/') ? 'brickgate' : undefined);

const blank = (text) => text.replace(/[^\n]/g, ' ');

// Comments, strings and characters become spaces; lines and columns stay where they are.
export function codeOnly(text) {
  const notCode = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|R"([^(\s]*)\([\s\S]*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![\w])'(?:\\.|[^'\\\n])+'/g;
  return text.replace(notCode, (part) => (part.startsWith('/') ? blank(part) : part[0] + blank(part.slice(1, -1)) + part.at(-1)));
}

export const lineOf = (text, index) => text.slice(0, index).split('\n').length;

export function* matches(file, pattern) {
  const code = codeOnly(file.text);
  for (const found of code.matchAll(pattern)) yield { line: lineOf(code, found.index), text: found[0], before: code.slice(0, found.index) };
}

export function includes(file) {
  const found = [...file.text.matchAll(/^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]/gm)];
  return found.map((match) => ({ line: lineOf(file.text, match.index), own: match[1] === '"', path: match[2] }));
}

// Functions with a body, wherever a definition may stand: {name, line, lines}. A brace is a function's when what leads
// to it has a parameter list and everything around it is a namespace or a class.
export function functions(file) {
  const code = codeOnly(file.text).replace(/^[ \t]*#[^\n]*(?:\\\n[^\n]*)*/gm, blank);
  const found = [];
  const open = [];
  let head = 0;  // where the text that leads to the next brace begins
  for (let i = 0; i < code.length; ++i) {
    if (code[i] === ';') head = i + 1;
    if (code[i] === '{') {
      const lead = code.slice(head, i);
      const outside = open.every((brace) => brace.kind === 'scope');
      const isScope = /\b(namespace|class|struct|union|enum|extern)\b[^()]*$/.test(lead);
      const hasParameters = /[\w>)\]]\s*\(/.test(lead) && lead.split('(').length === lead.split(')').length;
      const kind = isScope ? 'scope' : outside && hasParameters ? 'function' : 'other';
      open.push({ kind, head, lead });
      if (kind !== 'other') head = i + 1;
    }
    if (code[i] === '}') {
      const brace = open.pop();
      if (brace?.kind === 'function') {
        const start = brace.head + (/^[\s]*((public|private|protected):\s*)*/.exec(brace.lead)?.[0].length ?? 0);
        const name = /([\w~:]+|operator[^\w\s(]+)\s*\(/.exec(brace.lead)?.[1] ?? '?';
        found.push({ name, line: lineOf(code, start), lines: lineOf(code, i) - lineOf(code, start) + 1 });
      }
      if (brace?.kind !== 'other' || open.every((outer) => outer.kind === 'scope')) head = i + 1;
    }
  }
  return found;
}

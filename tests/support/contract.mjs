// SPDX-License-Identifier: Apache-2.0
// Holds an answer of the API against assets/openapi.yaml. Stricter than a client should be: a field that the document
// does not name is a mistake too.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv/dist/2020.js';
import { parse } from 'yaml';

const file = join(dirname(fileURLToPath(import.meta.url)), '../../assets/openapi.yaml');

function closed(node) {
  if (Array.isArray(node)) return node.map(closed);
  if (node === null || typeof node !== 'object') return node;
  const out = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]));
  const open = !('properties' in out) || 'additionalProperties' in out || 'allOf' in out;
  return open ? out : { ...out, additionalProperties: false };
}

const pointer = (...keys) => keys.map((key) => `/${encodeURIComponent(String(key).replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('');

export class Contract {
  constructor(text = readFileSync(file, 'utf8')) {
    this.document = closed(parse(text));
    this.ajv = new Ajv({ strict: false, allErrors: true });
    this.ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    this.ajv.addSchema(this.document, 'contract');
  }

  // The template of a path, the most literal first: /v1/x/{id}.
  route(path) {
    const fits = (template) => new RegExp(`^${template.replace(/[.+*?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]+\}/g, '[^/]+')}$`).test(path);
    return Object.keys(this.document.paths).filter(fits).sort((a, b) => a.split('{').length - b.split('{').length)[0];
  }

  resolve(keys) {
    const node = keys.reduce((at, key) => at?.[key], this.document);
    return node?.$ref ? this.resolve(node.$ref.slice(2).split('/')) : { node, keys };
  }

  // What is wrong with an answer, or undefined. Routes that are not in the document are all answered alike.
  complaint(method, target, status, body) {
    const template = this.route(target.split('?')[0]);
    const operation = template && this.document.paths[template][method.toLowerCase()];
    const place = operation ? ['paths', template, method.toLowerCase(), 'responses'] : undefined;
    const chosen = place && (operation.responses[status] ? String(status) : operation.responses.default && 'default');
    if (place && !chosen) return `${method} ${template}: ${status} is not documented`;
    const { node, keys } = chosen ? this.resolve([...place, chosen]) : this.resolve(['components', 'responses', 'Error']);
    const media = node.content && ['content', 'application/json', 'schema'];
    if (!media || !node.content['application/json']) return `${method} ${template}: ${status} has no JSON in the document`;
    const check = this.ajv.compile({ $ref: `contract#${pointer(...keys, ...media)}` });
    if (check(body)) return undefined;
    return `${method} ${target} ${status}: ${this.ajv.errorsText(check.errors, { dataVar: 'answer' })}\n${JSON.stringify(check.errors.map((error) => error.params))}\n${JSON.stringify(body)}`;
  }
}

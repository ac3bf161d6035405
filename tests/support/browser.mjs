// SPDX-License-Identifier: Apache-2.0
// Debian's Chromium, driven by playwright-core. Screenshots go to build/screenshots: looking at them is part of a
// change to a page.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const screenshots = join(dirname(fileURLToPath(import.meta.url)), '../../build/screenshots');

export const screens = {
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  desktop: { viewport: { width: 1280, height: 800 } },
};

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-dev-shm-usage',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

// A window of its own, with no cookies: {context, page, problems}. `problems` collects what must stay empty: script
// and console errors, and requests to anywhere but this machine.
export async function openWindow(browser, { screen = 'desktop', colorScheme = 'light', javaScriptEnabled = true } = {}) {
  const context = await browser.newContext({ ...screens[screen], colorScheme, javaScriptEnabled, reducedMotion: 'reduce' });
  const page = await context.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(`script: ${error.message}`));
  page.on('console', (message) => { if (message.type() === 'error') problems.push(`console: ${message.text()}`); });
  page.on('request', (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol.startsWith('http') && !['localhost', '127.0.0.1'].includes(hostname)) problems.push(`foreign request: ${request.url()}`);
  });
  return { context, page, problems };
}

export async function screenshot(page, name) {
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
}

// Chromium reports every refusal of ours as an error of the console; the status is what the tests ask for.
export const real = (problems) => problems.filter((problem) => !/Failed to load resource: .* status of [45]/.test(problem));
export const codeOn = (page) => page.locator('.code code').textContent();
export const shown = (page) => page.locator('body').innerText();

// The sandbox's own pages, as a person goes through them.
export async function signInAt(page, at, { answer = 'Approve', person = 'Ada Lovelace' } = {}) {
  await page.goto(at);
  await page.getByRole('button', { name: person }).click();
  await page.getByRole('button', { name: answer }).click();
}

// What holds for each page on each screen: it fits, it says where one is, it can be read without scrolling sideways.
export async function look(page, problems, name) {
  await screenshot(page, name);
  const facts = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    headings: document.querySelectorAll('h1').length,
    language: document.documentElement.lang,
    broken: [...document.images].filter((image) => !image.naturalWidth).length,
    small: [...document.querySelectorAll('button, .button, input')].filter((part) => part.type !== 'hidden' && part.offsetHeight < 44).length,
  }));
  assert.deepEqual(facts, { wide: 0, headings: 1, language: 'en', broken: 0, small: 0 }, name);
  assert.deepEqual(real(problems), [], name);
}

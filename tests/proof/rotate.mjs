// SPDX-License-Identifier: Apache-2.0
// rotate.mjs [ROWS] [KILLS]: keys are rotated over ROWS connections while some are refreshed all the time; the gateway is
// killed KILLS times at random moments. After each kill the second reader opens every record. Prints what it counted.
import { proveRotation } from '../support/rotation_proof.mjs';

const [rows = 10000, kills = 20] = process.argv.slice(2).map(Number);
const result = await proveRotation({ rows, kills, tell: (line) => process.stderr.write(`${line}\n`) });
console.log(`rows ${result.rows}, kills ${result.kills} (${result.killsInRotation} while records were sealed anew), rotations finished ${result.rotations}, ` +
  `records read ${result.read}, unreadable ${result.unreadable}, refreshes meanwhile ${result.refreshes}`);
process.exit(result.unreadable === 0 ? 0 : 1);

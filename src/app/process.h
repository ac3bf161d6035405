// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a process that holds secrets does to itself before it holds any (T65): no core, no ptrace,
// no new privileges, files for nobody else.
namespace brickgate {

void harden_process();

}  // namespace brickgate

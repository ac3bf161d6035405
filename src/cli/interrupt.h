// SPDX-License-Identifier: Apache-2.0
#pragma once
// SIGINT and SIGTERM as a question, for commands that go on until they are ended. What such a
// command waits for asks at least once a second. The second signal ends the process as usual.
namespace brickgate::cli {

void catch_interrupts();  // from here on; without it interrupted() is always false
bool interrupted();

}  // namespace brickgate::cli

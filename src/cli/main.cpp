// SPDX-License-Identifier: Apache-2.0
#include "app/process.h"
#include "cli/arguments.h"

int main(int count, char** values) {
    brickgate::harden_process();
    return brickgate::cli::run_program(count, values);
}

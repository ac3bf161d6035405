// SPDX-License-Identifier: Apache-2.0
// must not compile: is a private member of 'brickgate::WorkspaceHost'
#include "databricks/workspace.h"

void attempt(brickgate::WorkspaceHost& host) {
    host.origin_ = "https://evil.test";
}

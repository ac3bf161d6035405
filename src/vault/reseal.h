// SPDX-License-Identifier: Apache-2.0
#pragma once
// Seals the records of one row under the keys of today. Inside a store job; errors: vault_error.
#include <string>

#include "vault/envelope.h"

namespace brickgate {

// Records that are there, each where it belongs.
Result<Connection> resealed(Envelope& envelope, Connection const& row);
Result<std::string> resealed(Envelope& envelope, LoginRow const& row);

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// The names of our own things, as types that do not mix.
#include "base/strong.h"

namespace brickgate {

using ConnectionId = Strong<struct ConnectionIdTag>;      // "con_" and 32 hex digits
using RegistrationId = Strong<struct RegistrationIdTag>;  // "reg_" and 32 hex digits

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a person sees: server-rendered, without script, without anything of a third party. Pure.
#include "net/server_message.h"
#include "server/results.h"
#include "server/settings.h"

namespace brickgate {

ServerResponse connect_page(ServerSettings const& settings);
ServerResponse result_page(ServerSettings const& settings, LoginResult const& result);
ServerResponse error_page(ServerSettings const& settings, Error const& error);

}  // namespace brickgate

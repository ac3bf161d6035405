// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a person sees: server-rendered, without script, without anything of a third party. Pure.
#include "net/server_message.h"
#include "server/results.h"
#include "server/settings.h"
#include "server/sign_in_link.h"

namespace brickgate {

// `link` goes along with the next step; its return_to is one of the listed addresses or empty.
ServerResponse connect_page(ServerSettings const& settings, SignInLink const& link = {});
ServerResponse result_page(ServerSettings const& settings, LoginResult const& result);
ServerResponse error_page(ServerSettings const& settings, Error const& error,
                          SignInLink const& again = {});
// Where no app is set up: what the operator has to do.
ServerResponse no_app_page(ServerSettings const& settings, Error const& error);

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// The practice Databricks' own pages: who are you, do you allow it, and what went wrong. No script,
// nothing from elsewhere; they look like nobody else's, so that nobody takes them for the real
// thing. Pure; any thread.
#include <string>
#include <string_view>
#include <vector>

#include "net/server_message.h"
#include "sandbox/grants.h"

namespace brickgate::sandbox {

ServerResponse sign_in_page(std::string const& ticket, App const& app,
                            std::vector<Person> const& people);
ServerResponse consent_page(std::string const& ticket, App const& app, Person const& person,
                            std::string const& scope, std::string const& redirect_uri);
ServerResponse message_page(int status, std::string_view title, std::string_view text);
ServerResponse front_page(std::string const& origin, std::string const& refresh_mode);
std::string_view style_sheet();

}  // namespace brickgate::sandbox

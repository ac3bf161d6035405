// SPDX-License-Identifier: Apache-2.0
#pragma once
// The practice Databricks' own two pages: who are you, and do you allow it. Pure.
#include <string>
#include <vector>

#include "net/server_message.h"
#include "sandbox/grants.h"

namespace brickgate::sandbox {

ServerResponse sign_in_page(std::string const& ticket, App const& app,
                            std::vector<Person> const& people, std::string const& origin);
ServerResponse consent_page(std::string const& ticket, App const& app, Person const& person,
                            std::string const& scope, std::string const& target_origin);
ServerResponse front_page(std::string const& origin);
std::string_view style_sheet();

}  // namespace brickgate::sandbox

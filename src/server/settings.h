// SPDX-License-Identifier: Apache-2.0
#pragma once
// What pages and routes need to know of the configuration. Immutable after start.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "server/host_guard.h"

namespace brickgate {

struct DemoInfo {
    std::string api_key = {};  // throw-away, of a throw-away data folder
    std::string sandbox = {};  // origin of the practice Databricks
    std::string command = {};  // how this program's commands are typed here
    std::string options = {};  // what they need besides, with a space in front
    std::string restart = {};  // the command that started this demo
    std::string api_url = {};  // where programs call; empty: the public URL
    int process = 0;           // its id
};

struct ServerSettings {
    std::string app_name;
    std::string public_url;      // origin and base path, without a trailing slash
    std::string base_path;       // "" or "/gate"
    std::string callback_path;   // path of REDIRECT_URI, below the base path
    bool plain_cookies = false;  // http on loopback: no Secure, no __Host- prefix
    std::string form_targets;    // origins that the form of the connect page may lead to
    bool workspace_fixed = true;
    bool has_app = true;   // else only what was made at a terminal is served
    HostNames host_names;  // what Host may say
    std::optional<DemoInfo> demo;
};

}  // namespace brickgate

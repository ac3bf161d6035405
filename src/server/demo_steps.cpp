// SPDX-License-Identifier: Apache-2.0
#include "server/demo_steps.h"

namespace brickgate {

std::vector<DemoStep> demo_steps(ServerSettings const& settings, std::string const& connection) {
    if (!settings.demo) {
        return {};
    }
    auto const& demo = *settings.demo;
    std::string const curl = "curl -H 'Authorization: Bearer " + demo.api_key + "' " +
                             (demo.api_url.empty() ? settings.public_url : demo.api_url) +
                             "/v1/connections/" + connection + "/token";
    std::string const token = demo.command + " token " + connection + demo.options;
    return {
        {"Take a fresh token:", {curl, token}},
        {"Deny: sign in again at " + settings.public_url + "/auth and choose Deny.", {}},
        {"Let it expire: the first command makes the practice Databricks forget all its tokens. "
         "The gateway cannot know; the second command tells it that yours was refused and gets a "
         "new one. A program says the same with POST .../token/rejected.",
         {"curl -X POST " + demo.sandbox + "/_sandbox/expire", token + " --force-refresh"}},
        {"Kill it and start it again, in another terminal: the connection is still there.",
         {"kill -9 " + std::to_string(demo.process), demo.restart, token}},
    };
}

}  // namespace brickgate

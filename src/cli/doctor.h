// SPDX-License-Identifier: Apache-2.0
#pragma once
// What doctor finds, and what workspace and gateway say about the app, in doctor's words.
#include <string>
#include <vector>

#include "app/load_config.h"
#include "connect/authorize_probe.h"
#include "connect/secret_probe.h"

namespace brickgate::cli {

struct Finding {
    std::string check;    // a stable name
    std::string verdict;  // ok | warn | fail
    std::string what;
    std::string remedy;
};

inline Finding good(std::string check, std::string what) {
    return {std::move(check), "ok", std::move(what), ""};
}
inline Finding warn(std::string check, std::string what, std::string remedy) {
    return {std::move(check), "warn", std::move(what), std::move(remedy)};
}
inline Finding bad(std::string check, std::string what, std::string remedy) {
    return {std::move(check), "fail", std::move(what), std::move(remedy)};
}

Finding judged(ProbeOutcome const& probe, Registration const& registration,
               WorkspaceHost const& workspace);
Finding judged(SecretVerdict verdict, WorkspaceHost const& workspace);

// Whether Databricks refuses the app of the gateway that runs on this data folder. Nothing where
// none runs, or none of its connections waits.
std::vector<Finding> ask_gateway(LoadedConfig loaded);

}  // namespace brickgate::cli

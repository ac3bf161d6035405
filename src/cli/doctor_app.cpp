// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "cli/doctor.h"
#include "cli/terminal.h"

namespace brickgate::cli {

namespace {

constexpr std::size_t connections_asked = 50;  // a fault of the app shows at each of them

}  // namespace

Finding judged(ProbeOutcome const& probe, Registration const& registration,
               WorkspaceHost const& workspace) {
    std::string const app = "The app " + registration.client.client_id.value();
    std::string const says = workspace.origin() + " says: " + probe.words;
    switch (probe.verdict) {
        case ProbeVerdict::accepted:
            return good("app",
                        app + " and its redirect URI are known at " + workspace.origin() + ".");
        case ProbeVerdict::redirect_wrong:
            return bad("app", says,
                       "Register " + registration.redirect_uri.value() +
                           " for the app in the account console, to the letter; a change may take "
                           "half an hour.");
        case ProbeVerdict::client_unknown:
            return bad("app", says,
                       "Check CLIENT_ID, and that the app is of the workspace's own account.");
        case ProbeVerdict::refused:
            return bad("app", says, "Compare databricks.scopes with the app's scopes.");
        case ProbeVerdict::unclear:
            break;
    }
    return warn(
        "app", workspace.origin() + " does not say whether it knows the app.",
        "Begin a sign-in in a browser: a wrong app or redirect URI is shown there as JSON.");
}

Finding judged(SecretVerdict verdict, WorkspaceHost const& workspace) {
    switch (verdict) {
        case SecretVerdict::taken:
            return good("secret", workspace.origin() + " takes the app's secret.");
        case SecretVerdict::refused:
            return bad("secret", workspace.origin() + " refuses this secret.",
                       "Compare CLIENT_SECRET with the account console, or make a new one there; "
                       "right after an app was made this may pass by itself.");
        case SecretVerdict::unclear:
            break;
    }
    return warn("secret", workspace.origin() + " does not say whether it takes the app's secret.",
                "Sign in once in a browser: a wrong secret shows itself then.");
}

std::vector<Finding> ask_gateway(LoadedConfig loaded) {
    if (!daemon_runs(loaded.config)) {
        return {};
    }
    auto const admin = connect_admin(std::move(loaded));
    auto const listed = admin ? all_items(**admin, "/v1/connections", {{"status", "active"}})
                              : Result<json::array>(fail(admin.error()));
    if (!listed) {
        return {warn("gateway", listed.error().message(), std::string(listed.error().hint()))};
    }
    std::size_t asked = 0;
    for (auto const& item : *listed) {
        auto const why =
            ask(**admin, "GET", "/v1/connections/" + text_at(item.as_object(), "id") + "/explain");
        // What a grant itself lacks, its own people hear of; here it is the app.
        bool const waits = why && text_at(*why, "who_must_act") == "app_operator" &&
                           !text_at(*why, "next_attempt_at").empty();
        if (waits) {
            return {bad("gateway", "The running gateway: " + text_at(*why, "summary"),
                        text_at(*why, "remedy"))};
        }
        if (++asked == connections_asked) {
            break;
        }
    }
    return {};
}

}  // namespace brickgate::cli

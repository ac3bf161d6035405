// SPDX-License-Identifier: Apache-2.0
#include "tokens/explain.h"

#include <fmt/format.h>

namespace brickgate {

namespace {

using namespace std::chrono_literals;

Explanation of_reauth(Connection const& row) {
    Explanation out;
    out.summary =
        fmt::format("The person must sign in again since {}.", to_rfc3339(row.state_since));
    out.who_must_act = "customer";
    out.remedy = "Send the person through /auth again; the connection keeps its id.";
    switch (row.reason) {
        case ReauthReason::revoked:
            out.detail =
                "Databricks says that the refresh token is no longer valid: it was revoked, the "
                "app was "
                "removed or changed, or the person was deactivated.";
            break;
        case ReauthReason::expired_idle:
            out.detail = "The refresh token ran out because it was not used in its lifetime.";
            break;
        case ReauthReason::session_ended:
            out.detail =
                "The session reached the end that the account's policy or the grant itself sets.";
            break;
        case ReauthReason::outcome_lost:
            out.detail =
                "A refresh was cut off after it may have reached Databricks, and the answer with "
                "the new "
                "token never arrived. Databricks refuses the old token, as single-use tokens "
                "demand.";
            break;
        case ReauthReason::restored:
            out.detail =
                "The connection comes from a restored backup and its token proved to be out of "
                "date.";
            break;
        case ReauthReason::identity_changed:
            out.detail =
                "Another person or workspace answered than the one this connection belongs to.";
            break;
        case ReauthReason::none:
            break;
    }
    return out;
}

Explanation of_active(Connection const& row, Time now) {
    Explanation out;
    out.who_must_act = "nobody";
    out.serves_tokens = row.access_expires_at > now || !row.sealed_refresh.empty();
    if (row.sealed_refresh.empty()) {
        out.summary =
            fmt::format("Healthy until {}, then it ends.", to_rfc3339(row.access_expires_at));
        out.detail =
            "The grant came without a refresh token: offline_access was not asked for or not "
            "allowed.";
        out.who_must_act = "app_operator";
        out.remedy =
            "Allow and ask for the scope offline_access, then let the person sign in again.";
        return out;
    }
    out.summary =
        fmt::format("Healthy; the token is good until {}.", to_rfc3339(row.access_expires_at));
    out.detail = row.refresh_due_at ? fmt::format("It is refreshed ahead of time, next at {}.",
                                                  to_rfc3339(*row.refresh_due_at))
                                    : "It is refreshed when it is asked for.";
    if (row.fail_count > 0) {
        out.summary =
            fmt::format("The token is good until {}, but its refresh does not succeed at present.",
                        to_rfc3339(row.access_expires_at));
        std::string const tries =
            row.fail_count == 1 ? "The last try" : fmt::format("The last {} tries", row.fail_count);
        auto const next =
            std::max(row.next_attempt_at.value_or(Time()), row.refresh_due_at.value_or(Time()));
        out.detail = fmt::format("{} to refresh did not succeed ({}); nothing is lost.", tries,
                                 row.last_error) +
                     (next > now ? fmt::format(" The next one is at {}.", to_rfc3339(next)) : "");
        out.remedy =
            "Nothing to do at once: the gateway tries again by itself, and sooner if a token is "
            "asked for that must live longer.";
    }
    return out;
}

Explanation of_state(Connection const& row, Time now) {
    Explanation out;
    switch (row.state) {
        case ConnectionState::active:
            return of_active(row, now);
        case ConnectionState::reauth_required:
            return of_reauth(row);
        case ConnectionState::pending:
            out.summary = "Nobody has signed in yet.";
            out.who_must_act = "customer";
            out.remedy = "Send the person through /auth.";
            return out;
        case ConnectionState::uncertain:
            out.summary = fmt::format("A refresh's outcome is unknown since {}.",
                                      to_rfc3339(row.state_since));
            out.detail =
                "The request may have reached Databricks, but no answer came back. The old access "
                "token is "
                "served to its end, and the refresh is tried again when that can do no harm.";
            out.who_must_act = "nobody";
            out.remedy =
                "Wait; if Databricks has spent the token, the person will have to sign in again.";
            out.serves_tokens = row.access_expires_at > now;
            return out;
        case ConnectionState::host_blocked:
            out.summary =
                fmt::format("The workspace's token endpoint is out of reach for us since {}.",
                            to_rfc3339(row.state_since));
            out.detail = fmt::format(
                "It answered, but not as an OAuth server does ({}): most often an IP access "
                "list or a proxy on the way. The grant itself is not touched.",
                row.last_error);
            out.who_must_act = "customer_admin";
            out.remedy = "Add the gateway's outgoing address to the workspace's IP access list.";
            if (row.last_error == info_of(ErrorCode::tls_failed).name) {
                out.detail =
                    "Its certificate is not trusted, or something on the way breaks TLS. Nothing "
                    "was sent, and the grant itself is not touched.";
                out.who_must_act = "gateway_operator";
                out.remedy =
                    "Look at the log for the reason; for an own authority set tls.ca_file.";
            }
            out.serves_tokens = row.access_expires_at > now;
            return out;
        case ConnectionState::quarantined:
            out.summary = fmt::format("Held back since {}.", to_rfc3339(row.state_since));
            out.detail =
                row.reason == ReauthReason::restored
                    ? "It comes from a restored backup. Its refresh token may have been used since "
                      "the backup was made, and to present a used one ends the grant."
                    : "A newer version of this program wrote a state that this one does not know.";
            out.who_must_act = "gateway_operator";
            out.remedy =
                row.reason == ReauthReason::restored
                    ? "If nothing refreshed after the backup: brickgate connections release ID. "
                      "Else let the person sign in again; the connection keeps its id."
                    : "Start the newer version again, or let the person sign in again.";
            return out;
        case ConnectionState::disconnected:
            out.summary = fmt::format("Ended on our side at {}; its tokens are erased.",
                                      to_rfc3339(row.state_since));
            out.who_must_act = "customer";
            out.remedy = "To connect again, send the person through /auth.";
            return out;
    }
    return out;
}

}  // namespace

Explanation explain(Connection const& row, std::optional<Gatekeeper::AppFault> const& app_fault,
                    Time now) {
    Explanation out = of_state(row, now);
    bool const waits_for_us = row.state == ConnectionState::active ||
                              row.state == ConnectionState::uncertain ||
                              row.state == ConnectionState::host_blocked;
    if (app_fault && waits_for_us) {
        out.summary = fmt::format("Databricks refuses our client registration ({}) since {}.",
                                  info_of(app_fault->code).name, to_rfc3339(app_fault->since));
        out.detail =
            "The client id or secret is wrong, or the app was changed or disabled in the account "
            "console. "
            "All connections of this registration wait; none of them is lost.";
        out.who_must_act = "app_operator";
        out.remedy =
            "Check CLIENT_ID and CLIENT_SECRET against the account console, then restart the "
            "gateway.";
        out.next_attempt_at = app_fault->retry_at;
    }
    if (row.next_attempt_at && waits_for_us && !out.next_attempt_at) {
        out.next_attempt_at = row.next_attempt_at;
    }
    return out;
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
// The front channel: what a browser meets between an app's redirect and the way back to it.
#include <algorithm>

#include "sandbox/pages.h"
#include "sandbox/state.h"

namespace brickgate::sandbox {

namespace {

using namespace std::chrono_literals;
constexpr Seconds ticket_life = 600s;
constexpr std::string_view over = "This sign-in is over. Start it again from the app.";

ServerResponse refused(std::string const& description) {
    return json_answer(400, {{"error_description", description}, {"error", "invalid_request"}});
}

// What an authorize request lacks, as the fields that go back to the app; empty: nothing.
FormFields complaint_about(AuthorizeRequest const& request, std::string const& response_type) {
    if (response_type != "code") {
        return {{"error", "unsupported_response_type"},
                {"error_description", "response_type must be code"}};
    }
    if (request.code_challenge.empty()) {
        return {
            {"error", "invalid_request"},
            {"error_description",
             "code_challenge is missing: PKCE is required. Make a random code_verifier, keep it "
             "until the callback, and send its SHA-256 as code_challenge with "
             "code_challenge_method=S256"}};
    }
    if (request.code_challenge_method != "S256") {
        return {{"error", "invalid_request"},
                {"error_description",
                 "code_challenge_method must be S256; without it the method would be plain, which "
                 "protects nothing"}};
    }
    if (request.code_challenge.size() != 43 || !base64url_decode(request.code_challenge)) {
        return {{"error", "invalid_request"},
                {"error_description",
                 "code_challenge must be the SHA-256 of the code_verifier in base64url without "
                 "padding: 43 characters"}};
    }
    if (request.scope.empty()) {
        return {{"error", "invalid_scope"},
                {"error_description",
                 "scope is missing: ask for all-apis offline_access; without offline_access there "
                 "is no refresh token"}};
    }
    return {};
}

// A made-up person for any address that somebody types.
Person person_of(std::string const& email) {
    std::string name = email.substr(0, email.find('@'));
    std::ranges::replace(name, '.', ' ');
    bool first = true;
    for (char& c : name) {
        if (first && c >= 'a' && c <= 'z') {
            c = static_cast<char>(c - 'a' + 'A');
        }
        first = c == ' ';
    }
    return {email, name};
}

bool is_address(std::string const& text) {
    auto const at = text.find('@');
    auto const plain = [](char c) { return c > ' ' && c < 0x7f && c != '<' && c != '>'; };
    return at != std::string::npos && at > 0 && at + 1 < text.size() && text.size() <= 200 &&
           text.find('@', at + 1) == std::string::npos && std::ranges::all_of(text, plain);
}

}  // namespace

ServerResponse Sandbox::State::authorize(Asked const& asked, LogLine& line,
                                         std::optional<Fault> const& fault) {
    AuthorizeRequest const request{asked.field("client_id"),
                                   asked.field("redirect_uri"),
                                   asked.field("scope"),
                                   asked.field("state"),
                                   asked.field("nonce"),
                                   asked.field("code_challenge"),
                                   asked.field("code_challenge_method")};
    auto const repeated = asked.repeated_field();
    if (!asked.fields_readable || !repeated.empty()) {
        line.decision = "refused: unreadable query";
        return refused(repeated.empty() ? "The query has a broken percent escape"
                                        : "The parameter " + clean_text(repeated) +
                                              " is there twice (RFC 6749 section 3.1)");
    }
    // Facts 3.3: a wrong client or redirect is never redirected; the person sees JSON.
    auto const* const app = grants.app(request.client_id);
    if (!app) {
        line.decision = "refused: unknown client";
        return refused("OAuth application with client_id: '" + clean_text(request.client_id) +
                       "' not available in Databricks account '" + std::string(account_id) + "'.");
    }
    if (std::ranges::find(app->redirect_uris, request.redirect_uri) == app->redirect_uris.end()) {
        line.decision = "refused: unknown redirect_uri";
        return refused("redirect_uri '" + clean_text(request.redirect_uri) +
                       "' not registered for OAuth application '" + app->client_id + "'");
    }
    if (fault && fault->is("server_error")) {
        line.decision = "fault server_error";
        return back(request, {{"error", fault->value.empty() ? "server_error" : fault->value},
                              {"error_description", "scripted fault"}});
    }
    auto complaint = complaint_about(request, asked.field("response_type"));
    if (complaint.empty()) {
        auto const missing = grants.not_assigned(*app, request.scope);
        if (!missing.empty()) {
            complaint = {{"error", "access_denied"},
                         {"error_description", "Scopes '" + clean_text(missing) +
                                                   "' are not assigned to this application"}};
        }
    }
    if (!complaint.empty()) {
        line.decision = "refused: " + complaint.back().second;
        return back(request, std::move(complaint));
    }
    std::erase_if(
        tickets, [now = clock.now()](auto const& entry) { return entry.second.expires_at <= now; });
    std::string const id = random.token(16);
    tickets[id] = {request, std::nullopt, clock.now() + ticket_life};
    line.decision = "asked who it is";
    return sign_in_page(id, *app, grants.people);
}

ServerResponse Sandbox::State::back(AuthorizeRequest const& request, FormFields fields) const {
    if (!request.state.empty()) {
        fields.emplace_back("state", request.state);
    }
    auto const& iss = grants.settings.iss_in_callback;
    if (iss == "right") {
        fields.emplace_back("iss", options.origin + "/oidc");
    }
    if (iss == "wrong") {
        fields.emplace_back("iss", "https://other.cloud.databricks.com/oidc");
    }
    bool const has_query = request.redirect_uri.find('?') != std::string::npos;
    ServerResponse response;
    response.status = 303;
    response.headers.add("Location",
                         request.redirect_uri + (has_query ? "&" : "?") + form_encode(fields));
    response.headers.add("Cache-Control", "no-store");
    response.headers.add("Referrer-Policy", "no-referrer");
    return response;
}

Ticket* Sandbox::State::ticket_of(Asked const& asked) {
    auto const found = tickets.find(asked.field("ticket"));
    bool const good = found != tickets.end() && clock.now() < found->second.expires_at &&
                      grants.app(found->second.request.client_id);
    return good ? &found->second : nullptr;
}

// GET shows the page again: for somebody who is another person, or came back by the back button.
ServerResponse Sandbox::State::sign_in(Asked const& asked, LogLine& line) {
    Ticket* const ticket = ticket_of(asked);
    std::string const id = asked.field("ticket");
    if (!ticket) {
        line.decision = "refused: no such sign-in";
        return message_page(400, "This sign-in is over", over);
    }
    auto const& app = *grants.app(ticket->request.client_id);
    if (asked.method != "POST") {
        line.decision = "asked who it is";
        return sign_in_page(id, app, grants.people);
    }
    std::string const email = asked.field("email");
    auto const known = std::ranges::find(grants.people, email, &Person::email);
    if (known == grants.people.end() && !is_address(email)) {
        line.decision = "refused: no e-mail address";
        return message_page(400, "That is no e-mail address",
                            "Go back and type one, or choose somebody from the list.");
    }
    ticket->person = known != grants.people.end() ? *known : person_of(email);
    line.decision = "signed in: " + email;
    return consent_page(id, app, *ticket->person, ticket->request.scope,
                        ticket->request.redirect_uri);
}

ServerResponse Sandbox::State::consent(Asked const& asked, LogLine& line) {
    Ticket* const found = ticket_of(asked);
    if (!found || !found->person) {
        line.decision = "refused: no such sign-in";
        return message_page(400, "This sign-in is over", over);
    }
    Ticket const ticket = *found;
    tickets.erase(asked.field("ticket"));
    if (asked.field("answer") != "approve") {
        line.decision = "denied";
        return back(ticket.request, {{"error", "access_denied"},
                                     {"error_description", "The user denied the request"}});
    }
    line.decision = has_word(ticket.request.scope, "offline_access")
                        ? "approved"
                        : "approved; without offline_access there will be no refresh token";
    return back(ticket.request,
                {{"code", grants.make_code(ticket.request, *ticket.person, clock.now())}});
}

}  // namespace brickgate::sandbox

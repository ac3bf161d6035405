// SPDX-License-Identifier: Apache-2.0
#include "connect/authorize_probe.h"

#include "base/encoding.h"
#include "base/json.h"
#include "connect/outbound.h"
#include "oauth/authorization.h"
#include "oauth/pkce.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
constexpr Milliseconds total_max = 10s;
constexpr std::size_t body_bytes_max = 256 * 1024;  // a sign-in page

std::string field(FormFields const& fields, std::string_view name) {
    for (auto const& [key, value] : fields) {
        if (key == name) {
            return value;
        }
    }
    return {};
}

// What is told to the app comes as its redirect URI with an error.
ProbeOutcome read_redirect(std::string_view location, RedirectUri const& redirect_uri) {
    if (!location.starts_with(redirect_uri.value())) {
        return {ProbeVerdict::accepted};
    }
    auto const query = location.find('?');
    auto const fields =
        form_decode(query == std::string_view::npos ? "" : location.substr(query + 1))
            .value_or(FormFields());
    std::string const error = field(fields, "error");
    if (error.empty()) {
        return {ProbeVerdict::accepted};
    }
    return {ProbeVerdict::refused, clean_text(error + ": " + field(fields, "error_description"))};
}

// databricks-facts 3.3: {"error": "invalid_request", "error_description": "redirect_uri '...' not
// registered for OAuth application '...'"}, or "OAuth application with client_id: '...' not
// available in Databricks account '...'."
ProbeOutcome read_refusal(HttpResponse const& response) {
    return response.body.expose([](std::string_view text) -> ProbeOutcome {
        auto const parsed = parse_json(text);
        auto const* const object = parsed ? parsed->if_object() : nullptr;
        std::string const words =
            object ? clean_text(string_at(*object, "error_description").value_or("")) : "";
        if (words.find("redirect_uri") != std::string::npos) {
            return {ProbeVerdict::redirect_wrong, words};
        }
        if (words.find("client_id") != std::string::npos) {
            return {ProbeVerdict::client_unknown, words};
        }
        return {words.empty() ? ProbeVerdict::unclear : ProbeVerdict::refused, words};
    });
}

}  // namespace

ProbeOutcome read_probe(HttpResponse const& response, RedirectUri const& redirect_uri) {
    if (response.status >= 300 && response.status < 400) {
        return read_redirect(response.headers.get("Location").value_or(""), redirect_uri);
    }
    if (response.status == 200) {
        return {ProbeVerdict::accepted};
    }
    return response.status >= 400 && response.status < 500 ? read_refusal(response)
                                                           : ProbeOutcome();
}

Task<ProbeOutcome> probe_authorize(HttpClient& http, Random& random,
                                   std::shared_ptr<Registration const> registration,
                                   std::shared_ptr<ServerMetadata const> server) {
    auto const verifier = PkceVerifier::generate(random);
    AuthorizationRequest const question{registration->client.client_id,
                                        registration->redirect_uri,
                                        registration->scopes,
                                        State(random.token(32)),
                                        std::nullopt,
                                        verifier.challenge()};
    HttpRequest request;
    request.url = authorize_url(*server, question);
    HttpLimits limits = limits_for(*registration, request.url);
    limits.total = total_max;
    limits.body_bytes_max = body_bytes_max;
    auto const answer = co_await http.send(std::move(request), std::move(limits));
    co_return answer ? read_probe(*answer, registration->redirect_uri)
                     : ProbeOutcome{ProbeVerdict::unclear, answer.error().error.message()};
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include "sandbox/mischief.h"

namespace brickgate::sandbox {

namespace {

namespace json = boost::json;

// A message's head as text; without a length the body ends with the connection.
std::string head_of(ServerResponse const& response, bool with_length) {
    std::string out = "HTTP/1.1 " + std::to_string(response.status) + " " +
                      std::string(reason_phrase(response.status)) + "\r\n";
    for (auto const& [name, value] : response.headers) {
        out += name + ": " + value + "\r\n";
    }
    if (with_length) {
        out += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
    }
    return out + "Connection: close\r\n\r\n";
}

ServerResponse plain_status(Fault const& fault) {
    json::object body{{"error_code", fault.status}, {"message", "scripted fault"}};
    if (fault.status == 429) {
        body = {{"error_code", "REQUEST_LIMIT_EXCEEDED"},
                {"message", "The request rate is over this workspace's limit."}};
    }
    auto response = json_answer(fault.status, body);
    if (!fault.value.empty()) {
        response.headers.add("Retry-After", fault.value);
    }
    return response;
}

ServerResponse text_answer(int status, std::string type, std::string body) {
    ServerResponse response;
    response.status = status;
    response.headers.add("Content-Type", std::move(type));
    response.body = std::move(body);
    return response;
}

}  // namespace

ServerResponse json_answer(int status, json::value const& document) {
    auto response =
        text_answer(status, "application/json; charset=UTF-8", json::serialize(document));
    response.headers.add("Cache-Control", "no-store");
    return response;
}

std::optional<ServerResponse> replacement(Fault const& fault) {
    if (fault.is("status")) {
        return plain_status(fault);
    }
    if (fault.is("answer")) {
        return text_answer(fault.status, fault.content_type, fault.body);
    }
    if (fault.is("redirect") || fault.is("redirect_307")) {
        ServerResponse response;
        response.status = 307;
        response.headers.add("Location", fault.value);
        return response;
    }
    if (fault.is("not_found")) {
        return json_answer(404, {{"error_code", 404}, {"message", "scripted fault"}});
    }
    if (fault.is("html_200")) {
        return text_answer(
            200, "text/html; charset=utf-8",
            "<!doctype html><title>Sign in</title><p>A login page instead of an answer.</p>");
    }
    if (fault.is("ip_acl")) {
        return json_answer(403, {{"error_code", 403},
                                 {"message",
                                  "Source IP address: 203.0.113.7 is blocked by Databricks IP ACL "
                                  "for workspace: 1234567890123456"}});
    }
    if (fault.is("token_expiring")) {
        return json_answer(403,
                           {{"error_code", 403},
                            {"message", "Token is expiring within 30 seconds. (token expired)"}});
    }
    if (fault.is("invalid_client")) {
        return json_answer(401, {{"error", "invalid_client"},
                                 {"error_id", "5c0f2b1e-0000-4000-8000-000000000001"},
                                 {"error_description", "Client authentication failed"}});
    }
    if (fault.is("old_invalid_request")) {
        return json_answer(
            400, {{"error", "invalid_request"}, {"error_description", "Refresh token is invalid"}});
    }
    return std::nullopt;
}

void spoil(ServerResponse& response, Fault const& fault) {
    auto& body = response.body;
    if (!body.starts_with("{")) {
        return;
    }
    if (fault.is("duplicate_keys")) {
        auto const end = body.find(':');
        body.insert(1, body.substr(1, end - 1) + R"(:"another",)");
    }
    if (fault.is("deep_json")) {
        body.insert(1, R"("deep":)" + std::string(100, '[') + std::string(100, ']') + ",");
    }
    if (fault.is("huge_body")) {
        body.insert(1, R"("padding":")" + std::string(300'000, 'x') + "\",");
    }
}

ServerResponse on_the_wire(ServerResponse response, Fault const& fault) {
    if (fault.is("half_answer")) {
        response.cut_after = 300 + response.body.size() / 2;  // inside the body
    }
    if (fault.is("endless_body")) {
        constexpr std::size_t piece = 16 * 1024;
        std::string start = head_of(response, false) + R"({"padding":")";
        response.raw = std::make_shared<RawAnswer const>(
            RawAnswer{std::move(start) + std::string(piece, 'x'), piece, Milliseconds(1), true});
    }
    if (fault.is("one_byte_per_second")) {
        response.raw = std::make_shared<RawAnswer const>(
            RawAnswer{head_of(response, true) + response.body, 1, fault.pause, false});
    }
    return response;
}

ServerResponse nothing_at_all() {
    ServerResponse response;
    response.cut_after = 0;
    return response;
}

}  // namespace brickgate::sandbox

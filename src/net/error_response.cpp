// SPDX-License-Identifier: Apache-2.0
#include "net/error_response.h"

#include <boost/json.hpp>
#include <string>
#include <utility>

namespace brickgate {

std::string_view const json_header_lines =
    "Content-Type: application/json\r\n"
    "Cache-Control: no-store\r\n"
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n";

void add_json_headers(ServerResponse& response) {
    std::string_view rest = json_header_lines;
    while (!rest.empty()) {
        auto const colon = rest.find(": ");
        auto const end = rest.find("\r\n");
        response.headers.add(std::string(rest.substr(0, colon)),
                             std::string(rest.substr(colon + 2, end - colon - 2)));
        rest.remove_prefix(end + 2);
    }
}

ServerResponse json_response(int status, std::string body) {
    ServerResponse response;
    response.status = status;
    response.body = std::move(body);
    add_json_headers(response);
    return response;
}

std::string error_body(Error const& error) {
    boost::json::object inner;
    inner["code"] = error.name();
    inner["message"] = error.message();
    inner["hint"] = error.hint();
    if (!error.reason().empty()) {
        inner["reason"] = error.reason();
    }
    if (error.retry_after()) {
        inner["retry_after"] = error.retry_after()->count();
    }
    inner["docs"] = "docs/errors.md#" + std::string(error.name());
    boost::json::object outer;
    outer["error"] = std::move(inner);
    return boost::json::serialize(outer);
}

ServerResponse error_response(Error const& error) {
    ServerResponse response = json_response(error.http_status(), error_body(error));
    if (error.retry_after()) {
        response.headers.add("Retry-After", std::to_string(error.retry_after()->count()));
    }
    if (error.code() == ErrorCode::unauthorized) {
        response.headers.add("WWW-Authenticate", "Bearer");
    }
    return response;
}

}  // namespace brickgate

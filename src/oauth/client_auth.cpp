// SPDX-License-Identifier: Apache-2.0
#include "oauth/client_auth.h"

#include <algorithm>

namespace brickgate {

namespace {

Secret joined(std::initializer_list<std::string_view> parts) {
    std::size_t size = 0;
    for (auto const part : parts) {
        size += part.size();
    }
    Secret out = Secret::zeros(size);
    out.write([&](std::span<char> bytes) {
        auto at = bytes.begin();
        for (auto const part : parts) {
            at = std::ranges::copy(part, at).out;
        }
    });
    return out;
}

}  // namespace

HttpRequest ClientAuthentication::post(std::string url, Secret form) const {
    HttpRequest request;
    request.method = "POST";
    request.url = std::move(url);
    request.headers.add("Content-Type", "application/x-www-form-urlencoded");
    request.headers.add("Accept", "application/json");
    std::string const id = form_encode(client_id.value());
    if (method == Method::client_secret_basic) {
        // Both are form-encoded before base64, or a colon in the id would move the border.
        std::string pair = client_secret.expose(
            [&](std::string_view secret) { return id + ':' + form_encode(secret); });
        std::string value = "Basic " + base64_encode(pair);
        wipe(pair);
        request.authorization = Secret::from(std::move(value));
        request.body = std::move(form);
        return request;
    }
    request.body = form.expose([&](std::string_view fields) {
        if (method == Method::none) {
            return joined({fields, "&client_id=", id});
        }
        std::string secret =
            client_secret.expose([](std::string_view text) { return form_encode(text); });
        Secret body = joined({fields, "&client_id=", id, "&client_secret=", secret});
        wipe(secret);
        return body;
    });
    return request;
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include "server/sec_headers.h"

#include "oauth/metadata.h"

namespace brickgate {

void add_page_headers(ServerResponse& response, ServerSettings const& settings,
                      std::string const& form_targets) {
    auto& headers = response.headers;
    headers.add("Content-Security-Policy",
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                "font-src 'self'; "
                "connect-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'" +
                    (form_targets.empty() ? "" : " " + form_targets) +
                    "; frame-ancestors 'none'; require-trusted-types-for 'script'");
    headers.add("Referrer-Policy", "no-referrer");
    headers.add("X-Content-Type-Options", "nosniff");
    headers.add("X-Frame-Options", "DENY");
    if (!headers.get("Cache-Control")) {
        headers.add("Cache-Control", "no-store");
    }
    headers.add("Cross-Origin-Opener-Policy", "same-origin");
    headers.add("Cross-Origin-Resource-Policy", "same-origin");
    headers.add("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()");
    // For this name alone: its neighbours are not ours to speak for, nor is what else this machine
    // serves as localhost.
    bool const https = settings.public_url.starts_with("https://");
    if (https && !is_loopback_name(host_of(settings.public_url))) {
        headers.add("Strict-Transport-Security", "max-age=63072000");
    }
}

}  // namespace brickgate

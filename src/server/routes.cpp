// SPDX-License-Identifier: Apache-2.0
#include "server/routes.h"

#include <algorithm>
#include <array>

#include "net/error_response.h"
#include "server/pages.h"

namespace brickgate {

namespace {

// Paths that only programs ask for: they are to be told in JSON what is wrong.
bool is_programs(std::string_view path, std::string_view base_path) {
    constexpr std::array<std::string_view, 3> below{"/v1/", "/m/", "/.well-known/"};
    path.remove_prefix(path.starts_with(base_path) ? base_path.size() : 0);
    return std::ranges::any_of(below, [&](auto prefix) { return path.starts_with(prefix); });
}

}  // namespace

ErrorRenderer make_renderer(ServerSettings const& settings) {
    return [&settings](ServerRequest const& request, Error const& error,
                       std::optional<Audience> audience) {
        bool const browsers_only = request.listener == ListenerKind::public_;
        if (!browsers_only && error.code() == ErrorCode::not_found) {
            if (auto const told = sign_in_is_ours(request.path, settings.base_path)) {
                return error_response(*told);
            }
        }
        if (browsers_only && error.code() == ErrorCode::not_found &&
            is_programs(request.path, settings.base_path)) {
            return error_response(
                Error(ErrorCode::not_found,
                      "This listener is for browsers; the API is on server.private_listen.")
                    .with_hint("Call the address that the log names as private_listen."));
        }
        bool const for_a_program = audience == Audience::api ||
                                   is_programs(request.path, settings.base_path) ||
                                   request.listener == ListenerKind::private_ ||
                                   request.listener == ListenerKind::local_socket;
        return for_a_program ? error_response(error) : error_page(settings, error);
    };
}

Router make_router(ServerSettings const& settings, ConnectPages& pages, Api& api,
                   Operations& operations, CapabilitiesApi& capabilities,
                   MetadataService& metadata) {
    Router router(settings.base_path, make_renderer(settings));
    pages.add_to(router);
    api.add_to(router);
    capabilities.add_to(router);
    metadata.add_to(router);
    operations.add_to(router);
    return router;
}

}  // namespace brickgate

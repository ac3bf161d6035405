// SPDX-License-Identifier: Apache-2.0
#include "server/routes.h"

#include "net/error_response.h"
#include "server/pages.h"

namespace brickgate {

ErrorRenderer make_renderer(ServerSettings const& settings) {
    return [&settings](ServerRequest const& request, Error const& error,
                       std::optional<Audience> audience) {
        bool const for_a_program = audience == Audience::api ||
                                   request.path.starts_with(settings.base_path + "/v1/") ||
                                   request.listener == ListenerKind::private_ ||
                                   request.listener == ListenerKind::local_socket;
        return for_a_program ? error_response(error) : error_page(settings, error);
    };
}

Router make_router(ServerSettings const& settings, ConnectPages& pages, Api& api,
                   Operations& operations) {
    Router router(settings.base_path, make_renderer(settings));
    pages.add_to(router);
    api.add_to(router);
    operations.add_to(router);
    return router;
}

}  // namespace brickgate

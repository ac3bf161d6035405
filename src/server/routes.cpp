// SPDX-License-Identifier: Apache-2.0
#include "server/routes.h"

#include "net/error_response.h"
#include "server/pages.h"

namespace brickgate {

Router make_router(ServerSettings const& settings, ConnectPages& pages, Api& api,
                   Operations& operations) {
    auto const render = [&settings](ServerRequest const& request, Error const& error) {
        bool const for_a_program = request.path.starts_with(settings.base_path + "/v1/") ||
                                   request.listener == ListenerKind::private_ ||
                                   request.listener == ListenerKind::local_socket;
        return for_a_program ? error_response(error) : error_page(settings, error);
    };
    Router router(settings.base_path, render);
    pages.add_to(router);
    api.add_to(router);
    operations.add_to(router);
    return router;
}

}  // namespace brickgate
